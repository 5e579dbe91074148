"""The outermost middleware: gives the request its id and trace, writes its one log line, and counts it."""

import re
import time
import uuid
from functools import lru_cache

import structlog
from opentelemetry import propagate, trace
from prometheus_client import Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskhub_api.middleware.sending import header, send_problem
from taskhub_api.problems import Problem
from taskhub_core.telemetry import metrics
from taskhub_core.telemetry.context import bind, bound

log = structlog.get_logger("taskhub_api.requests")
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_QUIET = frozenset({"/livez", "/readyz", "/startupz"})


class StoryMiddleware:
    """Every log line of a request, and of the jobs and events it causes, carries the id that is set here."""

    def __init__(self, app: ASGIApp, *, tracing: bool) -> None:
        """`tracing`: whether spans go anywhere; otherwise only the requests that belong to a trace already have one."""
        self._app = app
        self._tracing = tracing
        self._tracer = trace.get_tracer("taskhub_api")
        self._log = log.bind()  # once, not with every line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = header(scope, b"x-request-id") or ""
        if not _ACCEPTED_ID.fullmatch(request_id):
            request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        traceparent = header(scope, b"traceparent")
        bind(request_id=request_id)  # to the end of the request: the server runs each in a context of its own
        if not self._tracing and traceparent is None:
            await self._answer(scope, receive, send, request_id, trace.INVALID_SPAN)
            return
        carrier = {"traceparent": traceparent or "", "tracestate": header(scope, b"tracestate") or ""}
        with self._tracer.start_as_current_span(f"{scope['method']}", context=propagate.extract(carrier)) as span:
            span_context = span.get_span_context()
            with bound(**({"trace_id": f"{span_context.trace_id:032x}"} if span_context.is_valid else {})):
                await self._answer(scope, receive, send, request_id, span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str, span: trace.Span) -> None:
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                if "answer_headers" in scope["state"]:
                    MutableHeaders(scope=message).update(scope["state"]["answer_headers"])
            await send(message)

        metrics.REQUESTS_IN_PROGRESS.inc()
        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            self._log.exception("request failed", method=scope["method"], route=_route(scope))
            if status:
                raise  # too late for another answer: the server cuts the connection
            await send_problem(
                Problem("internal", "The request failed by a fault of ours."), scope, receive, send_with_id
            )
        finally:
            metrics.REQUESTS_IN_PROGRESS.dec()
            elapsed = time.perf_counter() - started
            route, method = _route(scope), scope["method"]
            if span.is_recording():
                span.update_name(f"{method} {route}")
                span.set_attribute("http.response.status_code", status)
            if scope["path"] not in _QUIET:
                answered, seconds = _counters(_method(method), route, status or 499)
                answered.inc()
                seconds.observe(elapsed)
                self._log.info("request", method=method, route=route, status=status or 499, seconds=round(elapsed, 5))


@lru_cache(maxsize=1_024)
def _counters(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """The metrics with these labels: finding them costs more than counting."""
    return (
        metrics.REQUESTS.labels(method=method, route=route, status=str(status)),
        metrics.REQUEST_SECONDS.labels(method=method, route=route),
    )


def _route(scope: Scope) -> str:
    """The route's template: bounded in number, and without ids."""
    route = scope.get("route")
    return getattr(route, "path_format", None) or "unmatched"


def _method(method: str) -> str:
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
