"""The job kind that benchmarks run: it does nothing, and is batched as kinds of its length should be."""

from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.registry import NoArgs, job_kind


@job_kind("bench.noop", args=NoArgs, batch_size=64)
def noop(job: JobContext, args: NoArgs) -> None:
    """Does nothing."""
