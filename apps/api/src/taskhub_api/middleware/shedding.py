"""Load shedding: past a number of requests at once, the next one is turned away at once instead of queueing."""

from starlette.types import ASGIApp, Receive, Scope, Send

from taskhub_api.middleware.sending import send_problem
from taskhub_api.problems import Problem
from taskhub_core.telemetry import metrics

EXEMPT = frozenset({"/livez", "/readyz", "/startupz"})


def _is_stream(path: str) -> bool:
    """Streams last for minutes and have a limit of their own (max_streams); they must not use up this one."""
    return path.startswith("/v1/jobs/") and path.endswith("/progress")


class SheddingMiddleware:
    """Keeps answering some requests well, where answering all of them would serve none."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._in_progress = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, or turns it away."""
        if scope["type"] != "http" or scope["path"] in EXEMPT or _is_stream(scope["path"]):
            await self._app(scope, receive, send)
            return
        if self._in_progress >= self._limit:
            metrics.REQUESTS_SHED.labels(reason="concurrency").inc()
            problem = Problem(
                "overloaded", f"This server already works on {self._limit} requests.", {"Retry-After": "1"}
            )
            await send_problem(problem, scope, receive, send)
            return
        self._in_progress += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_progress -= 1
