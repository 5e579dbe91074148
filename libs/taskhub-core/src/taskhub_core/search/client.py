"""Clients of Elasticsearch: one attempt a call, a limit on its time, and errors sorted by what they mean."""

import enum
from pathlib import Path
from typing import Any

import structlog
from elastic_transport import AiohttpHttpNode
from elasticsearch import ApiError, AsyncElasticsearch, ConnectionTimeout, Elasticsearch, TransportError
from elasticsearch.serializer import OrjsonSerializer

from taskhub_core.settings import SearchSettings

_log = structlog.get_logger(__name__)


class SearchFailure(enum.StrEnum):
    """Why Elasticsearch did not do what it was asked; the values are metric labels."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    MISSING = "missing"
    """The alias or the index is not there."""
    OVERLOADED = "overloaded"
    FAILED = "failed"
    """A server error, or credentials that it does not take."""
    REFUSED = "refused"
    """It understood the request and will not carry it out: repeating it changes nothing."""


def classify(error: ApiError | TransportError | TimeoutError) -> SearchFailure:
    """Sorts an error that a call raised."""
    if isinstance(error, ApiError):
        return classify_status(error.meta.status)
    return SearchFailure.TIMEOUT if isinstance(error, ConnectionTimeout | TimeoutError) else SearchFailure.UNREACHABLE


def classify_status(status: int) -> SearchFailure:
    """Sorts an HTTP status of an error, of a call or of one item of a bulk write."""
    if status == 404:
        return SearchFailure.MISSING
    if status == 429:
        return SearchFailure.OVERLOADED
    return SearchFailure.FAILED if status >= 500 or status in {401, 403, 408} else SearchFailure.REFUSED


def _options(settings: SearchSettings, timeout_seconds: float) -> dict[str, Any]:
    key = settings.elasticsearch_api_key
    tls = settings.elasticsearch_url is not None and settings.elasticsearch_url.scheme == "https"
    return {
        "hosts": [str(settings.elasticsearch_url)],
        "api_key": None if key is None else key.get_secret_value(),
        "request_timeout": timeout_seconds,
        # Whoever calls decides about a second attempt: retries in the client would multiply every deadline.
        "max_retries": 0,
        "retry_on_timeout": False,
        "serializer": OrjsonSerializer(),
        "ca_certs": str(settings.elasticsearch_ca_file) if tls and settings.elasticsearch_ca_file else None,
    }


def make_client(settings: SearchSettings, *, timeout_seconds: float = 10.0) -> Elasticsearch:
    """A client for the consumer, jobs and commands. `settings.elasticsearch_url` must be set."""
    return Elasticsearch(**_options(settings, timeout_seconds))


def make_async_client(settings: SearchSettings, *, timeout_seconds: float) -> AsyncElasticsearch:
    """A client for the API's event loop. `settings.elasticsearch_url` must be set.

    It reads the CA now. Without the file it trusts the public CAs only, and every call fails as if Elasticsearch were
    away: the API starts nonetheless.
    """
    options = _options(settings, timeout_seconds)
    if options["ca_certs"] is not None and not Path(options["ca_certs"]).is_file():
        _log.error("the CA of Elasticsearch is not there", path=options["ca_certs"])
        options["ca_certs"] = None
    # By aiohttp: httpx's pool loses connections when callers stop waiting, until none is left
    # (tests/search/test_deadlines.py).
    return AsyncElasticsearch(node_class=AiohttpHttpNode, **options)
