"""Keeps the last log lines and spans that collectors bring by OTLP/HTTP in JSON, in memory.

The format: OpenTelemetry Protocol 1.x, "JSON Protobuf Encoding".
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_LINES = 50_000
_SPANS = 20_000


@dataclass(frozen=True, slots=True)
class Span:
    """One step of a trace, by the process that did it."""

    trace_id: str
    service: str
    name: str


class Telemetry:
    """What came last; older lines and spans make room for newer ones. Threads may use it at once."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._spans: deque[Span] = deque(maxlen=_SPANS)
        self._lock = threading.Lock()

    def add_logs(self, body: bytes) -> None:
        """Keep the lines of an ExportLogsServiceRequest. Raises ValueError when it is none."""
        lines = _read(_lines, body)
        with self._lock:
            self._lines.extend(lines)

    def add_traces(self, body: bytes) -> None:
        """Keep the spans of an ExportTraceServiceRequest. Raises ValueError when it is none."""
        spans = _read(_spans, body)
        with self._lock:
            self._spans.extend(spans)

    def lines(self, part: str) -> list[str]:
        """Return the lines that have this in them, in the order of their arrival."""
        with self._lock:
            return [line for line in self._lines if part in line]

    def spans(self, trace_id: str) -> list[Span]:
        """Return the spans of a trace, in the order of their arrival."""
        with self._lock:
            return [span for span in self._spans if span.trace_id == trace_id]


def _read[T](found: Callable[[dict[str, Any]], Iterator[T]], body: bytes) -> list[T]:
    try:
        return list(found(json.loads(body)))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the body is no OTLP request in JSON: {error!r}") from error


def _lines(request: dict[str, Any]) -> Iterator[str]:
    for resource in request["resourceLogs"]:
        for scope in resource["scopeLogs"]:
            for record in scope["logRecords"]:
                yield record["body"]["stringValue"]


def _spans(request: dict[str, Any]) -> Iterator[Span]:
    for resource in request["resourceSpans"]:
        attributes = {one["key"]: one["value"] for one in resource["resource"]["attributes"]}
        service = attributes["service.name"]["stringValue"]
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                yield Span(span["traceId"].lower(), service, span["name"])
