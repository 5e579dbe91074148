"""Structured logs on standard output: one JSON object a line, with the ids of its story and no secrets."""

import logging
import logging.config
import sys
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, TextIO

import orjson
import structlog

from taskhub_core.settings import TelemetrySettings

_SECRET_WORDS = ("password", "secret", "token", "authorization", "api_key", "cookie", "credential")
_BODY_WORDS = ("body", "payload", "content")
HIDDEN = "[hidden]"


def hide_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces the value of every field whose name speaks of a secret or of a request's or message's body."""
    for name in event:
        if _is_secret(name):
            event[name] = HIDDEN
    return event


@lru_cache(maxsize=1_024)
def _is_secret(name: str) -> bool:
    lowered = name.lower()
    return any(word in lowered for word in _SECRET_WORDS) or lowered in _BODY_WORDS


class _Lines:
    """What structlog's loggers write their finished lines with: one write a line, so that threads do not mix theirs.

    Going through the standard library's logging instead costs twice as much as all the rest of a line.
    """

    __slots__ = ("_stream", "name")

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self.name = name

    def write(self, line: str) -> None:
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # closed or full: a line that is lost must not fail the work it tells of
            logging.Handler().handleError(logging.makeLogRecord({"msg": line}))

    debug = info = warning = error = critical = exception = write


def _to_json(value: object, **_: object) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure(settings: TelemetrySettings, *, service: str) -> None:
    """Sends structlog and the standard library's logging the same way: to standard output, in the same form."""
    stream = sys.stdout  # as it is now: Celery puts something else in its place

    def add_service(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        event["environment"] = settings.environment
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        hide_secrets,
    ]
    # Tracebacks come without the values of local variables: one of them may be a password.
    render: list[Any] = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    if settings.log_format == "json":
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        render = [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(serializer=_to_json),
        ]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
                }
            },
            "handlers": {
                "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "structured"}
            },
            "root": {"level": settings.log_level.upper(), "handlers": ["stdout"]},
            "loggers": {
                # These tell at INFO what our own lines already say.
                name: {"level": "WARNING"}
                for name in (
                    "botocore",
                    "elastic_transport",
                    "httpx",
                    "httpcore",
                    "urllib3",
                    "uvicorn.access",
                    "alembic",
                )
            },
        }
    )
    structlog.configure(
        processors=[*shared, *render],
        logger_factory=lambda name="taskhub": _Lines(stream, name),
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        cache_logger_on_first_use=False,
    )
