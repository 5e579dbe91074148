"""The largest body a request may have; files may be larger than JSON."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskhub_api.middleware.sending import header, send_problem
from taskhub_api.problems import Problem

_LENGTH_DIGITS = 18


class BodyLimitMiddleware:
    """Refuses by Content-Length before reading, and stops reading a body that turns out to be longer."""

    def __init__(self, app: ASGIApp, *, limit_bytes: int, file_limit_bytes: int, file_paths: frozenset[str]) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._file_limit_bytes = file_limit_bytes
        self._file_paths = file_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, unless its body is too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._file_limit_bytes if scope["path"] in self._file_paths else self._limit_bytes
        declared = header(scope, b"content-length") or "0"
        if not declared.isascii() or not declared.isdigit() or len(declared) > _LENGTH_DIGITS:
            await send_problem(Problem("bad-request", "Content-Length is not a number."), scope, receive, send)
            return
        if int(declared) > limit:
            await send_problem(Problem("too-large", _detail(limit)), scope, receive, send)
            return
        read = 0

        async def receive_counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise HTTPException(413, _detail(limit), {"Connection": "close"})
            return message

        try:
            await self._app(scope, receive_counted, send)
        except HTTPException as error:  # read by a middleware: a route's own are handled further in
            await send_problem(Problem("too-large", error.detail, error.headers or {}), scope, receive, send)


def _detail(limit: int) -> str:
    return f"The body may have at most {limit} bytes."
