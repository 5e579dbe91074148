"""The kind search.reindex: builds the search index anew from PostgreSQL, or repairs the one that is there.

Failures: an Elasticsearch or PostgreSQL that is away, and a new index that does not verify, are tried again from the
beginning; the alias points to the old index until a new one is complete. A second reindex at the same time waits.
"""

import enum
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError

from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.errors import PermanentError, RetryLater
from taskhub_core.jobs.registry import JobArgs, RetryPolicy, job_kind
from taskhub_core.search.client import make_client
from taskhub_core.search.reconcile import reconcile
from taskhub_core.search.reindex import ReindexRunning, reindex

_TIMEOUT_SECONDS = 60.0
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
    client = make_client(job.settings, timeout_seconds=_TIMEOUT_SECONDS)
    try:
        return _repair(job, client) if args.mode is ReindexMode.REPAIR else _rebuild(job, client)
    except ReindexRunning as error:
        raise RetryLater(str(error), delay_seconds=60.0) from error
    except (ApiError, TransportError) as error:
        raise RetryLater(f"Elasticsearch failed: {error}") from error
    finally:
        client.close()


def _rebuild(job: JobContext, client: Elasticsearch) -> dict[str, Any]:
    done = reindex(
        job.engine,
        client,
        job.settings.search_alias,
        report=lambda written, total, step: job.report(written, total=total, message=step),
        check=job.check,
    )
    assert done is not None, "only a reindex of a missing index has nothing to do"
    return {
        "index": done.index,
        "documents": done.documents,
        "caught_up": done.caught_up,
        "seconds": round(done.seconds, 3),
        "removed": done.removed,
    }


def _repair(job: JobContext, client: Elasticsearch) -> dict[str, Any]:
    found = reconcile(job.engine, client, job.settings.search_alias, check=job.check)
    names = ("index_name", "documents_expected", "documents_found", "missing", "stale", "superfluous", "repaired")
    return {name: getattr(found, name) for name in names}
