"""Job kinds whose effects can be counted: loaded into the platform under test by TASKHUB_JOB_KIND_MODULES.

Their effects are rows of a table without any unique constraint: a second one is not prevented, so it is seen.
"""

import os
import signal
import time

from pydantic import Field
from sqlalchemy import Connection, text

from taskhub_core.jobs.context import JobContext, Progress
from taskhub_core.jobs.registry import JobArgs, NoArgs, RetryPolicy, job_kind
from taskhub_local.faults.judge_jobs import COMPLETION, DEADLY_KIND, EFFECT_KIND, STEPS_KIND

MODULE = __name__

CREATE_EFFECTS = """
    CREATE TABLE IF NOT EXISTS fault_effects (
        job_id uuid NOT NULL, step int NOT NULL, attempt int NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp())
"""
_INSERT = text("INSERT INTO fault_effects (job_id, step, attempt) VALUES (:job_id, :step, :attempt)")


class StepsArgs(JobArgs):
    """How many steps, and how long each takes."""

    steps: int = Field(ge=1, le=1_000)
    step_seconds: float = Field(ge=0, le=10)


def _leave(connection: Connection, job: JobContext, step: int) -> None:
    connection.execute(_INSERT, {"job_id": job.id, "step": step, "attempt": job.claimed.fence.attempt})


@job_kind(EFFECT_KIND, args=NoArgs, batch_size=20)
def effect(job: JobContext, _args: NoArgs) -> None:
    """Leaves one row in the transaction that completes the job."""
    job.on_complete(lambda connection: _leave(connection, job, COMPLETION))


@job_kind(STEPS_KIND, args=StepsArgs, soft_limit_seconds=300, announces=True)
def steps(job: JobContext, args: StepsArgs) -> None:
    """Leaves one row a step, each with its checkpoint, and one with the completion. Goes on where it was stopped."""
    first = 0 if job.checkpoint is None else int(job.checkpoint["next"])
    for step in range(first, args.steps):
        end = time.monotonic() + args.step_seconds
        while time.monotonic() < end:
            job.check()
            time.sleep(0.02)
        with job.step({"next": step + 1}, Progress(step + 1, args.steps)) as connection:
            _leave(connection, job, step)
    job.on_complete(lambda connection: _leave(connection, job, COMPLETION))


@job_kind(DEADLY_KIND, args=NoArgs, retry=RetryPolicy(max_attempts=2, base_seconds=0.1))
def deadly(job: JobContext, _args: NoArgs) -> None:
    """Kills its worker process each time, as a bug in a C library would."""
    job.on_complete(lambda connection: _leave(connection, job, COMPLETION))
    os.kill(os.getpid(), signal.SIGKILL)
