"""The short way to the operations that clients use most: the router's own functions, found and fed directly.

FastAPI finds a route, solves its dependencies and parses its body for every request anew, which costs more than a
whole insert. A shortcut does the same for one plain kind of request. Whatever it does not know at once (another form of
a header, a body that is not valid) it leaves to the router, so that every refusal is the router's own.
"""

import re
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from taskhub_api.answers import Writer
from taskhub_api.middleware.receiving import given_again, read_body
from taskhub_api.middleware.sending import header
from taskhub_api.problems import from_error, problem_response, request_id
from taskhub_api.security.access_tokens import Caller

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Creates:
    """POST of one JSON body: the endpoint takes the body's model, the caller and a writer."""

    body: type[BaseModel]
    endpoint: Callable[[Any, Caller, Writer], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Reads:
    """GET of one thing by its id: the endpoint takes the id, the caller and the request."""

    endpoint: Callable[[uuid.UUID, Caller, Request], Awaitable[Response]]


type Shortcut = Creates | Reads


class ShortcutMiddleware:
    """Answers what has a shortcut. It stands where the router stands: within every other middleware."""

    def __init__(
        self, app: ASGIApp, *, application: FastAPI, routes: Iterable[BaseRoute], shortcuts: Iterable[Shortcut]
    ) -> None:
        self._app = app
        self._application = application
        self._creates: dict[str, tuple[Creates, APIRoute]] = {}
        self._reads: dict[str, tuple[Reads, APIRoute]] = {}
        """By what stands before the id."""
        by_endpoint = {route.endpoint: route for route in routes if isinstance(route, APIRoute)}
        for shortcut in shortcuts:
            route = by_endpoint[shortcut.endpoint]
            if isinstance(shortcut, Creates):
                self._creates[route.path_format] = shortcut, route
            else:
                self._reads[route.path_format.partition("{")[0]] = shortcut, route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or hands it to the router."""
        if scope["type"] != "http" or scope.get("root_path"):
            await self._app(scope, receive, send)
        elif scope["method"] == "GET":
            await self._read(scope, receive, send)
        elif scope["method"] == "POST" and scope["path"] in self._creates:
            await self._create(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        found, token = self._reads.get(path[:-36]), _bearer(scope)
        if found is None or token is None or not _ID.fullmatch(path, len(path) - 36):
            await self._app(scope, receive, send)
            return
        shortcut, scope["route"] = found
        request = Request(scope, receive)
        try:
            caller = self._application.state.access_tokens.check(token)
            response = await shortcut.endpoint(uuid.UUID(path[-36:]), caller, request)
        except Exception as error:
            response = _refusal(error, request)
        await response(scope, receive, send)

    async def _create(self, scope: Scope, receive: Receive, send: Send) -> None:
        token, key = _bearer(scope), header(scope, b"idempotency-key")
        if token is None or (key is not None and not _KEY.fullmatch(key)):
            await self._app(scope, receive, send)
            return
        sent = await read_body(receive)
        if sent is None:
            return  # the client is gone
        receive = given_again(sent, receive)
        shortcut, route = self._creates[scope["path"]]
        try:
            body = shortcut.body.model_validate_json(sent)
        except ValidationError:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        request = Request(scope, receive)
        try:
            caller = self._application.state.access_tokens.check(token)
            response = await shortcut.endpoint(body, caller, Writer(request, key))
        except Exception as error:
            response = _refusal(error, request)
        await response(scope, receive, send)


def _bearer(scope: Scope) -> str | None:
    scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
    return token if scheme == "Bearer" and token else None


def _refusal(error: Exception, request: Request) -> Response:
    problem = from_error(error)
    if problem is None:
        raise error
    return problem_response(problem, request_id=request_id(request))
