"""HEAD, OPTIONS and the Allow header, which the router knows one route at a time only (RFC 9110, 9.3.2 and 15.5.6)."""

import re
from collections import defaultdict
from functools import cached_property

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class MethodsMiddleware:
    """Answers HEAD as GET without the body, OPTIONS with what is allowed, and names all of that in every 405."""

    def __init__(self, app: ASGIApp, *, application: FastAPI) -> None:
        self._app = app
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_allow(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                MutableHeaders(scope=message)["Allow"] = ", ".join(self._allowed(scope["path"]))
            await send(message)

        allowed = self._allowed(scope["path"]) if scope["method"] in {"HEAD", "OPTIONS"} else []
        if allowed and scope["method"] == "OPTIONS":
            await Response(status_code=204, headers={"Allow": ", ".join(allowed)})(scope, receive, send)
        elif "HEAD" in allowed:
            as_get = {**scope, "method": "GET"}  # the server leaves the body out, by the method that it saw
            await self._app(as_get, receive, send_with_allow)
            scope["route"] = as_get.get("route")  # for the log line and the metrics
        else:
            await self._app(scope, receive, send_with_allow)

    def _allowed(self, path: str) -> list[str]:
        """The methods that some route has for this path; none for a path that does not exist."""
        found = {method for pattern, methods in self._routes if pattern.match(path) for method in methods}
        return sorted(found | ({"OPTIONS"} if found else set()))

    @cached_property
    def _routes(self) -> list[tuple[re.Pattern[str], set[str]]]:
        by_path: dict[str, set[str]] = defaultdict(set)
        for route in iter_route_contexts(self._application.routes):
            by_path[route.path or ""] |= route.methods or set()
        for path, methods in by_path.items():
            # A stream would never come to the end of a body that nobody is sent.
            if "GET" in methods and not path.endswith("/progress"):
                methods.add("HEAD")
        return [(compile_path(path)[0], methods) for path, methods in by_path.items()]
