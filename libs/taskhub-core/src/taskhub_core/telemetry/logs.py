"""Structured logs on standard output: one JSON object a line, with the ids of its story and no secrets."""

import logging
import logging.config
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

from taskhub_core.settings import TelemetrySettings

_SECRET_WORDS = ("password", "secret", "token", "authorization", "api_key", "cookie", "credential")
_BODY_WORDS = ("body", "payload", "content")
HIDDEN = "[hidden]"


def hide_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces the value of every field whose name speaks of a secret or of a request's or message's body."""
    for name in event:
        lowered = name.lower()
        if any(word in lowered for word in _SECRET_WORDS) or lowered in _BODY_WORDS:
            event[name] = HIDDEN
    return event


def _to_json(value: object, **_: object) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure(settings: TelemetrySettings, *, service: str) -> None:
    """Sends structlog and the standard library's logging the same way: to standard output, in the same form."""

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
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
