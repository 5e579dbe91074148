"""The outermost middleware: gives the request its id and trace, writes its one log line, and counts it."""

import re
import time
import uuid

import structlog
from opentelemetry import propagate, trace
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskhub_api.middleware.sending import send_problem
from taskhub_api.problems import Problem
from taskhub_core.telemetry import metrics
from taskhub_core.telemetry.context import bound

log = structlog.get_logger("taskhub_api.requests")
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_QUIET = frozenset({"/livez", "/readyz", "/startupz"})


class StoryMiddleware:
    """Every log line of a request, and of the jobs and events it causes, carries the id that is set here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._tracer = trace.get_tracer("taskhub_api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not _ACCEPTED_ID.fullmatch(request_id):
            request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        carrier = {name: value for name in ("traceparent", "tracestate") if (value := headers.get(name))}
        with (
            bound(request_id=request_id),
            self._tracer.start_as_current_span(f"{scope['method']}", context=propagate.extract(carrier)) as span,
        ):
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
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.update(scope["state"].get("answer_headers", {}))
            await send(message)

        metrics.REQUESTS_IN_PROGRESS.inc()
        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            log.exception("request failed", method=scope["method"], route=_route(scope))
            if status:
                raise  # too late for another answer: the server cuts the connection
            await send_problem(
                Problem("internal", "The request failed by a fault of ours."), scope, receive, send_with_id
            )
        finally:
            metrics.REQUESTS_IN_PROGRESS.dec()
            elapsed = time.perf_counter() - started
            route, method = _route(scope), scope["method"]
            span.update_name(f"{method} {route}")
            span.set_attribute("http.response.status_code", status)
            if scope["path"] not in _QUIET:
                metrics.REQUESTS.labels(method=_method(method), route=route, status=str(status or 499)).inc()
                metrics.REQUEST_SECONDS.labels(method=_method(method), route=route).observe(elapsed)
                log.info("request", method=method, route=route, status=status or 499, seconds=round(elapsed, 5))


def _route(scope: Scope) -> str:
    """The route's template: bounded in number, and without ids."""
    route = scope.get("route")
    return getattr(route, "path_format", None) or "unmatched"


def _method(method: str) -> str:
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
