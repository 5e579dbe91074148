"""The deadline of a request: whatever hangs, the client hears of it."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskhub_api.middleware.sending import send_problem
from taskhub_api.problems import Problem
from taskhub_core.telemetry import metrics


class DeadlineMiddleware:
    """Answers 503 when no answer has begun in time. Answers that have begun (streams, downloads) may take longer."""

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, at most until the deadline."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds) as deadline:

                async def send_and_lift(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        deadline.reschedule(None)
                    await send(message)

                await self._app(scope, receive, send_and_lift)
        except TimeoutError:
            if not deadline.expired():
                raise
            metrics.REQUESTS_SHED.labels(reason="deadline").inc()
            problem = Problem("unavailable", f"No answer within {self._seconds:g} s.", {"Retry-After": "2"})
            await send_problem(problem, scope, receive, send)
