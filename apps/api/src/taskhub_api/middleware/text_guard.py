"""Text that cannot be stored is refused before any route sees it: NUL characters, and JSON that is not RFC 8259's."""

import re

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from taskhub_api.middleware.receiving import given_again, read_body
from taskhub_api.middleware.sending import has_body, send_problem
from taskhub_api.problems import Problem

# PostgreSQL keeps NUL in no text and no jsonb. An escape counts if an even number of backslashes stands before it.
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
# What Python's parser lets through and PostgreSQL or our own encoder refuses: halves of surrogate pairs, and NaN.
_DOUBTFUL = re.compile(rb"\\u[dD][89a-fA-F]|NaN|Infinity")


class TextGuardMiddleware:
    """Reads the whole of a JSON body (its size is limited further out) and hands it on in one piece."""

    def __init__(self, app: ASGIApp, *, file_paths: frozenset[str]) -> None:
        self._app = app
        self._file_paths = file_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, unless it has such text in it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            detail = "The URL contains a NUL character, which cannot be stored."
            problem = Problem("invalid", detail, extensions={"errors": [{"field": "url", "message": detail}]})
            await send_problem(problem, scope, receive, send)
            return
        if scope["path"] in self._file_paths or not has_body(scope):
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        if body is None:
            return  # the client went away before it had sent everything
        found = _problem(body)
        if found is not None:
            await send_problem(found, scope, receive, send)
            return
        await self._app(scope, given_again(body, receive), send)


def _problem(body: bytes) -> Problem | None:
    if b"\x00" in body:  # also every UTF-16 and UTF-32
        return Problem("bad-request", "The body is not JSON in UTF-8.")
    if b"\\u0000" in body and _ESCAPED_NUL.search(body):
        detail = "A text in the body contains a NUL character (\\u0000), which cannot be stored."
        return Problem("invalid", detail, extensions={"errors": [{"field": "body", "message": detail}]})
    if _DOUBTFUL.search(body):
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError:
            return Problem("bad-request", "The body is not valid JSON: it has a NaN, or half a surrogate pair.")
    return None
