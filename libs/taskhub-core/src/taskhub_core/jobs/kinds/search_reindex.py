"""The kind search.reindex: builds the search index anew from PostgreSQL, or repairs the one that is there.

Failures: an Elasticsearch or PostgreSQL that is away, and a new index that does not verify, are tried again from the
beginning; the alias points to the old index until a new one is complete. A second reindex at the same time waits.
"""

import enum
from typing import Any

from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.errors import PermanentError
from taskhub_core.jobs.registry import JobArgs, RetryPolicy, job_kind

_HOUR = 3_600.0


class ReindexMode(enum.StrEnum):
    """How much to do."""

    FULL = "full"
    """A new index, verified, then put in the old one's place."""
    REPAIR = "repair"
    """Only the documents that differ, in the present index."""


class ReindexArgs(JobArgs):
    """What to do."""

    mode: ReindexMode = ReindexMode.FULL


@job_kind(
    "search.reindex",
    args=ReindexArgs,
    retry=RetryPolicy(max_attempts=5, base_seconds=5.0, cap_seconds=120.0),
    soft_limit_seconds=6 * _HOUR,
    concurrency_limit=1,
    submitted_by="operator",
)
def search_reindex(job: JobContext, args: ReindexArgs) -> dict[str, Any]:
    """Builds the search index anew from PostgreSQL, or repairs where it differs."""
    if job.settings.elasticsearch_url is None:
        raise PermanentError("There is no index to build: TASKHUB_ELASTICSEARCH_URL is not set for the worker.")
    # Every worker and dispatcher knows this kind from its start, and few ever run it: its client, which takes as long
    # to import as the rest of the kinds together, comes with the first job.
    from taskhub_core.search import reindex_job

    return reindex_job.repair(job) if args.mode is ReindexMode.REPAIR else reindex_job.rebuild(job)
