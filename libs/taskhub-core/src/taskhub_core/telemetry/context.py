"""The ids that tie a request to its last log line, carried through outbox, broker and queue in context variables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from opentelemetry import propagate, trace

CARRIED = ("request_id",)
"""What travels in the `context` of jobs and events, beside W3C's traceparent."""


def bind(**fields: Any) -> None:
    """Adds fields to every later log line of this task or thread."""
    structlog.contextvars.bind_contextvars(**fields)


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Adds fields to the log lines within the block."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def outgoing() -> dict[str, str]:
    """What to store beside a job or an event so that whoever works on it later belongs to the same story."""
    current = structlog.contextvars.get_contextvars()
    carried = {name: str(current[name]) for name in CARRIED if name in current}
    if trace.get_current_span().get_span_context().is_valid:
        propagate.inject(carried)
    return carried


def spans_are_collected() -> bool:
    """Whether anybody would see a span."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@contextmanager
def incoming(carried: dict[str, str], *, span: str, **fields: Any) -> Iterator[None]:
    """Takes the story up again: binds its ids, and runs the block in a span that continues its trace."""
    ids = {name: carried[name] for name in CARRIED if name in carried}
    if not spans_are_collected():
        # One that nobody sees costs more than all the rest here.
        with bound(**ids, **fields):
            yield
        return
    tracer = trace.get_tracer("taskhub")
    with bound(**ids, **fields), tracer.start_as_current_span(span, context=propagate.extract(carried)) as current:
        span_context = current.get_span_context()
        trace_id = {"trace_id": f"{span_context.trace_id:032x}"} if span_context.is_valid else {}
        with bound(**trace_id):
            yield
