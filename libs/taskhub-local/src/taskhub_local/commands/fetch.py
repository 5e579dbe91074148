"""`taskhub fetch`: gets Elasticsearch ahead of time, so that a download does not count against a test's time limit."""

from taskhub_local.elasticsearch.distribution import ensure_distribution
from taskhub_local.errors import PartUnavailableError
from taskhub_local.parts.elasticsearch import why_unavailable


def fetch() -> int:
    """Fetch it if this machine can run it; say why not in one line otherwise."""
    reason = why_unavailable()
    if reason is None:
        try:
            ensure_distribution(print)
        except PartUnavailableError as error:
            reason = str(error)
    if reason is not None:
        print(f"Elasticsearch {reason}: its tests are skipped")  # noqa: T201
    return 0
