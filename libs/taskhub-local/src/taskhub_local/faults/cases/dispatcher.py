"""Dispatchers die and stand still (rules 1 and 3 of the design)."""

from taskhub_local.faults.case import Felt, Need
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import jobs_waited, writes_unharmed
from taskhub_local.faults.stage import Stage
from taskhub_local.parts.app import App

_DISPATCHER = App.DISPATCHER.value
_FROZEN_SECONDS = 20.0
"""Twice as long as PostgreSQL lets a transaction stand idle: it ends those that the dispatcher has open."""


async def kill_dispatcher(stage: Stage) -> float:
    """kill -9 of the only dispatcher."""
    since = stage.breaks("kill -9 of the dispatcher")
    former = stage.target.kill(_DISPATCHER)
    await stage.until_replaced(_DISPATCHER, former.pid)
    return since


async def kill_dispatchers_in_turn(stage: Stage) -> float:
    """kill -9 of one of two dispatchers, then of the other, twice over: one is always there."""
    async with stage.host.another(App.DISPATCHER):
        since = 0.0
        for name in (_DISPATCHER, f"{_DISPATCHER}-2") * 2:
            since = stage.breaks(f"kill -9 of {name}")
            former = stage.target.kill(name)
            await stage.until_replaced(name, former.pid)
        return since


async def freeze_dispatcher(stage: Stage) -> float:
    """SIGSTOP of the only dispatcher, then SIGCONT: it goes on with what its transactions lost meanwhile."""
    return await stage.freezes(_DISPATCHER, "the dispatcher", _FROZEN_SECONDS)


CASES = (
    case(
        "dispatcher-kill",
        "kill -9 of the dispatcher",
        kill_dispatcher,
        felt=Felt.JOBS,
        checks=(writes_unharmed,),
    ),
    case(
        "dispatchers-in-turn",
        "kill -9 of each of two dispatchers, in turn",
        kill_dispatchers_in_turn,
        felt=Felt.JOBS,
        checks=(writes_unharmed,),
        needs=frozenset({Need.HOST}),
        quick=True,
    ),
    case(
        "dispatcher-freeze",
        f"the only dispatcher frozen for {_FROZEN_SECONDS:g} s",
        freeze_dispatcher,
        felt=Felt.JOBS,
        checks=(writes_unharmed, jobs_waited),
    ),
)
