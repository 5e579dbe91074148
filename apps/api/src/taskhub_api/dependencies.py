"""What routes ask for by type: the caller, the database, a writer, an expected version."""

import re
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from taskhub_api.database import Database
from taskhub_api.problems import Problem
from taskhub_api.security.access_tokens import AccessTokens, Caller, unauthenticated
from taskhub_core.accounts.models import Role

_bearer = HTTPBearer(auto_error=False, description="An access token from POST /v1/token.")


async def _caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    if credentials is None:
        raise unauthenticated("This needs an access token.")
    tokens: AccessTokens = request.app.state.access_tokens
    return tokens.check(credentials.credentials)


CurrentCaller = Annotated[Caller, Depends(_caller)]
"""The caller, authenticated."""


async def _operator(caller: CurrentCaller) -> Caller:
    if caller.role is not Role.OPERATOR:
        raise Problem("forbidden", "This is for operators.")
    return caller


CurrentOperator = Annotated[Caller, Depends(_operator)]
"""The caller, authenticated and an operator."""


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


Db = Annotated[Database, Depends(_database)]
"""Runs units of work that only read."""

Cursor = Annotated[
    str | None,
    Query(max_length=2_000, description="`next_cursor` of the page before. Leave it out for the first page."),
]
Limit = Annotated[int, Query(ge=1, le=200, description="How many to return at most.")]

_ETAG = re.compile(r'"(\d{1,18})"')


def etag(version: int) -> str:
    """A version as a strong ETag (RFC 9110)."""
    return f'"{version}"'


async def _expected_version(
    if_match: Annotated[
        str | None,
        Header(max_length=100, description="The ETag you last read, or * for any version.", examples=['"3"']),
    ] = None,
) -> int | None:
    if if_match is None:
        raise Problem("precondition-required", "Send If-Match with the ETag of the version you mean to change.")
    if if_match.strip() == "*":
        return None
    matched = _ETAG.fullmatch(if_match.strip())
    if matched is None:
        raise Problem("version-mismatch", f'If-Match {if_match!r} is not an ETag of ours; they look like "3".')
    return int(matched[1])


ExpectedVersion = Annotated[int | None, Depends(_expected_version)]
"""The version that a write is meant for; None for any."""
