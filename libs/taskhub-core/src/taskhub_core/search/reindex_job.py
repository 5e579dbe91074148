"""What a job of the kind search.reindex does with Elasticsearch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError

from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.errors import RetryLater
from taskhub_core.search.client import make_client
from taskhub_core.search.reconcile import reconcile
from taskhub_core.search.reindex import ReindexRunning, reindex

_TIMEOUT_SECONDS = 60.0


def rebuild(job: JobContext) -> dict[str, Any]:
    """Build a new index and put it in the old one's place. Raises RetryLater."""
    with _client(job) as client:
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


def repair(job: JobContext) -> dict[str, Any]:
    """Write the documents that differ from PostgreSQL's rows. Raises RetryLater."""
    with _client(job) as client:
        found = reconcile(job.engine, client, job.settings.search_alias, check=job.check)
    names = ("index_name", "documents_expected", "documents_found", "missing", "stale", "superfluous", "repaired")
    return {name: getattr(found, name) for name in names}


@contextmanager
def _client(job: JobContext) -> Iterator[Elasticsearch]:
    client = make_client(job.settings, timeout_seconds=_TIMEOUT_SECONDS)
    try:
        yield client
    except ReindexRunning as error:
        raise RetryLater(str(error), delay_seconds=60.0) from error
    except (ApiError, TransportError) as error:
        raise RetryLater(f"Elasticsearch failed: {error}") from error
    finally:
        client.close()
