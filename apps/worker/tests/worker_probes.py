"""Job kinds that only tests know: the worker processes load them through TASKHUB_JOB_KIND_MODULES."""

import functools
import os
import signal
import time
from typing import Any

from sqlalchemy import Connection, text

from taskhub_core.jobs.context import JobContext, Progress
from taskhub_core.jobs.errors import PermanentError
from taskhub_core.jobs.registry import JobArgs, NoArgs, RetryPolicy, registry

_QUICK = RetryPolicy(max_attempts=3, base_seconds=0.2, cap_seconds=0.5)
job_kind = functools.partial(registry.kind, submitted_by="system")


def _note(context: JobContext, note: str) -> Any:
    def effect(connection: Connection) -> None:
        connection.execute(
            text("INSERT INTO probe_notes (job_id, note, process) VALUES (:id, :note, :process)"),
            {"id": context.id, "note": note, "process": os.getpid()},
        )

    return effect


def note_now(context: JobContext, note: str) -> None:
    """Leaves a note at once, in a transaction of its own."""
    with context.engine.begin() as connection:
        _note(context, note)(connection)


class Text(JobArgs):
    text: str = "done"


class Seconds(JobArgs):
    seconds: float
    cooperative: bool = False


class Permanence(JobArgs):
    permanent: bool = False


@job_kind("probe.noop", args=NoArgs, batch_size=64)
def noop(_context: JobContext, _args: NoArgs) -> None:
    """Nothing."""


@job_kind("probe.alone", args=NoArgs)
def alone(_context: JobContext, _args: NoArgs) -> None:
    """Nothing, one job a message."""


@job_kind("probe.note", args=Text, batch_size=8, retry=_QUICK, announces=True)
def note(context: JobContext, args: Text) -> dict[str, str]:
    """One effect, in the completing transaction."""
    context.on_complete(_note(context, args.text))
    return {"said": args.text}


@job_kind("probe.bad_effect", args=NoArgs, batch_size=8, retry=_QUICK)
def bad_effect(context: JobContext, _args: NoArgs) -> None:
    """Its effect cannot be carried out."""
    context.on_complete(lambda connection: connection.execute(text("INSERT INTO probe_notes (job_id) VALUES (NULL)")))


@job_kind("probe.sleep", args=Seconds, retry=_QUICK)
def sleep(context: JobContext, args: Seconds) -> None:
    """Leaves a note that it began, sleeps, and leaves another one with its completion."""
    note_now(context, "began")
    end = time.monotonic() + args.seconds
    while time.monotonic() < end:
        if args.cooperative:
            context.check()
            time.sleep(0.05)
        else:
            time.sleep(end - time.monotonic())
    context.on_complete(_note(context, "finished"))


@job_kind("probe.limited", args=Seconds, concurrency_limit=2, retry=_QUICK)
def limited(context: JobContext, args: Seconds) -> None:
    """At most two at a time, over all workers."""
    sleep(context, args)


@job_kind("probe.steps", args=Seconds, retry=_QUICK)
def steps(context: JobContext, args: Seconds) -> dict[str, int]:
    """Ten steps, each one note and a checkpoint in one transaction."""
    done = (context.checkpoint or {"done": 0})["done"]
    while done < 10:
        with context.step({"done": done + 1}, Progress(done + 1, 10)) as connection:
            _note(context, f"step {done}")(connection)
        done += 1
        time.sleep(args.seconds / 10)
    return {"done": done}


@job_kind("probe.fail", args=Permanence, retry=_QUICK)
def fail(_context: JobContext, args: Permanence) -> None:
    """Always fails."""
    if args.permanent:
        raise PermanentError("never")
    raise ValueError("connect to postgresql://someone:hunter2@db.example/ with password=hunter2")


@job_kind("probe.unstorable", args=NoArgs, retry=_QUICK)
def unstorable(_context: JobContext, _args: NoArgs) -> None:
    """Fails with a message that jsonb does not take."""
    raise ValueError("nul: \x00, surrogate: \ud800")


@job_kind("probe.poison", args=NoArgs, retry=_QUICK)
def poison(context: JobContext, _args: NoArgs) -> None:
    """Kills its process."""
    note_now(context, "began")
    os.kill(os.getpid(), signal.SIGKILL)


@job_kind("probe.slow", args=NoArgs, soft_limit_seconds=0.5, retry=RetryPolicy(max_attempts=1))
def slow(context: JobContext, _args: NoArgs) -> None:
    """Runs into its soft limit, inside a statement."""
    with context.engine.begin() as connection:
        connection.execute(text("SELECT pg_sleep(4.5)"))


@job_kind(
    "probe.stubborn", args=NoArgs, soft_limit_seconds=0.4, hard_limit_seconds=1.2, retry=RetryPolicy(max_attempts=1)
)
def stubborn(context: JobContext, _args: NoArgs) -> None:
    """Does not stop whatever is asked of it."""
    note_now(context, "began")
    end = time.monotonic() + 30.0
    while time.monotonic() < end:
        try:
            time.sleep(1.0)
        except BaseException:
            continue


@job_kind("probe.deaf", args=NoArgs, retry=_QUICK)
def deaf(context: JobContext, _args: NoArgs) -> None:
    """Does not stop before its time, which is far away."""
    stubborn(context, _args)
