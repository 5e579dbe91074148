"""Bodies are JSON, except where files are uploaded: anything else is refused before it is read."""

from starlette.types import ASGIApp, Receive, Scope, Send

from taskhub_api.middleware.sending import has_body, header, send_problem
from taskhub_api.problems import Problem

_JSON = frozenset({"application/json", "application/merge-patch+json"})


class MediaTypeMiddleware:
    """Answers 415 to a body of another media type."""

    def __init__(self, app: ASGIApp, *, file_paths: frozenset[str]) -> None:
        self._app = app
        self._file_paths = file_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, unless its body is of the wrong type."""
        if scope["type"] == "http" and scope["path"] not in self._file_paths:
            media_type = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
            if media_type not in _JSON and has_body(scope):
                detail = f"The body is {media_type or 'of no type'}; send application/json."
                await send_problem(Problem("unsupported-media-type", detail), scope, receive, send)
                return
        await self._app(scope, receive, send)
