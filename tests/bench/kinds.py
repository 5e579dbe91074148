"""The job kinds that benchmarks run: they do nothing, one batched as kinds of its length should be, one not."""

import time

from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.registry import NoArgs, job_kind


@job_kind("bench.noop", args=NoArgs, batch_size=64)
def noop(job: JobContext, args: NoArgs) -> None:
    """Does nothing."""


@job_kind("bench.single", args=NoArgs)
def single(job: JobContext, args: NoArgs) -> None:
    """Does nothing, one job a message."""


@job_kind("bench.hold", args=NoArgs, soft_limit_seconds=120)
def hold(job: JobContext, args: NoArgs) -> None:
    """Works on until its worker is killed; the second attempt ends at once."""
    while job.claimed.fence.attempt == 1:
        job.check()
        time.sleep(0.1)
