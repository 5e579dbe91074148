"""PostgreSQL restarts, dies, stands still, and loses connections at the worst moment (failure mode 3)."""

import signal

from taskhub_local.faults.case import Felt, Need
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import answered_within, felt_at_all, never_internal
from taskhub_local.faults.proxy import Mode
from taskhub_local.faults.stage import Stage
from taskhub_local.parts.app import App

_POSTGRES = "postgres"
_FROZEN_SECONDS = 20.0
_CUTTING_SECONDS = 10.0
_CALM_SECONDS = 3.0


async def restart_postgres(stage: Stage) -> float:
    """A fast shutdown (sessions are ended, a checkpoint is written); the supervisor starts it again."""
    stage.breaks("fast shutdown of PostgreSQL")
    former = stage.target.kill(_POSTGRES, signal.SIGINT)
    await stage.until(lambda: not former.is_running(), seconds=30, what="PostgreSQL has stopped")
    return await stage.until_postgres_accepts()


async def kill_postgres(stage: Stage) -> float:
    """kill -9 of the postmaster: no checkpoint, so the next one recovers from the log."""
    stage.breaks("kill -9 of PostgreSQL")
    former = stage.target.kill(_POSTGRES)
    await stage.until(lambda: not former.is_running(), seconds=10, what="the postmaster is gone")
    return await stage.until_postgres_accepts()


async def freeze_postgres(stage: Stage) -> float:
    """SIGSTOP of every process of PostgreSQL: TCP lives on, and nothing ever answers."""
    return await stage.freezes(_POSTGRES, "PostgreSQL", _FROZEN_SECONDS)


async def cut_commits(stage: Stage) -> float:
    """Cut the connection at every 20th COMMIT of an API and a worker: in turn before PostgreSQL has it and after."""
    host = stage.host
    through = {"TASKHUB_DATABASE_URL": host.through_proxy(stage.target.database_url)}
    async with host.another(App.API, through), host.another(App.WORKER, through):
        await stage.last(2)
        stage.breaks("cut connections during COMMIT")
        host.postgres.set_mode(Mode.CUT_COMMITS)
        await stage.last(_CUTTING_SECONDS)
        host.postgres.set_mode(Mode.PASS)
        since = stage.heals(f"{host.postgres.commits_cut} COMMITs were cut")
        stage.notes.append(f"{host.postgres.commits_cut} COMMITs cut")
        await stage.last(_CALM_SECONDS)
        await stage.ends_here()
    return since


# The promise is 2 s (the API gives a unit of work 1.8 s); the rest is for a machine that does other things, too.
_ANSWERED = answered_within(2.5, at_most=4.0)
# PostgreSQL may be back so soon that the API's own repeats hide it from every client.
_HIDDEN = (never_internal, _ANSWERED)

CASES = (
    case(
        "postgres-restart",
        "fast restart of PostgreSQL",
        restart_postgres,
        felt=Felt.WRITES,
        checks=_HIDDEN,
    ),
    case(
        "postgres-kill",
        "kill -9 of PostgreSQL",
        kill_postgres,
        felt=Felt.WRITES,
        checks=_HIDDEN,
        quick=True,
    ),
    case(
        "postgres-freeze",
        f"PostgreSQL frozen for {_FROZEN_SECONDS:g} s",
        freeze_postgres,
        felt=Felt.WRITES,
        checks=(felt_at_all, never_internal, _ANSWERED),
        quick=True,
    ),
    case(
        "postgres-commit-cut",
        "connections of API and worker cut during COMMIT",
        cut_commits,
        felt=Felt.WRITES,
        checks=(never_internal,),
        needs=frozenset({Need.HOST}),
        quick=True,
    ),
)
