"""Errors as clients see them: RFC 9457 problem details, each of a stable type, each with the id of its request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from taskhub_core.database.failures import Failure, classify, constraint_name
from taskhub_core.errors import Conflict, InvalidInput, NotFound, OutcomeUnknown, Unavailable, VersionMismatch
from taskhub_core.jobs.registry import UnknownKind

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem: `/problems/<slug>` is its type URI, and tells what it means."""

    slug: str
    status: int
    title: str
    meaning: str


TYPES = {
    kind.slug: kind
    for kind in (
        ProblemType("bad-request", 400, "Bad request", "The request could not be read. Mend it before you repeat it."),
        ProblemType(
            "unauthenticated", 401, "Not authenticated", "Send a valid access token: Authorization: Bearer <token>."
        ),
        ProblemType("forbidden", 403, "Not allowed", "The account's role does not include this."),
        ProblemType("not-found", 404, "Not found", "It does not exist, or it is not yours."),
        ProblemType("method-not-allowed", 405, "Method not allowed", "This URL does not take that method."),
        ProblemType("conflict", 409, "Conflict", "The request contradicts what is already there."),
        ProblemType("version-mismatch", 412, "Changed meanwhile", "Read it again; send If-Match with its new ETag."),
        ProblemType("too-large", 413, "Body too large", "Send less at once; `detail` names the limit."),
        ProblemType("unsupported-media-type", 415, "Unsupported media type", "Send Content-Type: application/json."),
        ProblemType("invalid", 422, "Invalid", "The request can be read but not carried out; `errors` says why."),
        ProblemType(
            "idempotency-key-reused",
            422,
            "Idempotency-Key reused",
            "This key was used for another request within a day.",
        ),
        ProblemType("precondition-required", 428, "If-Match required", "Send If-Match with the ETag you last read."),
        ProblemType("rate-limited", 429, "Too many requests", "Wait as long as Retry-After says."),
        ProblemType("internal", 500, "Internal error", "A fault of ours. Quote request_id when you report it."),
        ProblemType("unavailable", 503, "Temporarily unavailable", "Nothing was changed. Repeat it after Retry-After."),
        ProblemType("overloaded", 503, "Overloaded", "Nothing was changed. Repeat it after Retry-After."),
        ProblemType(
            "outcome-unknown",
            503,
            "Outcome unknown",
            "The change may or may not have been made. With an Idempotency-Key it is safe to repeat the request.",
        ),
    )
}
_BY_STATUS = {400: "bad-request", 401: "unauthenticated", 403: "forbidden", 404: "not-found", 405: "method-not-allowed"}
_BY_STATUS |= {409: "conflict", 413: "too-large", 415: "unsupported-media-type", 422: "invalid", 429: "rate-limited"}


@dataclass(slots=True)
class Problem(Exception):
    """Raised to answer with a problem."""

    slug: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)


def problem_body(problem: Problem, *, request_id: str | None) -> bytes:
    """The problem as JSON."""
    kind = TYPES[problem.slug]
    return orjson.dumps(
        {
            "type": f"/problems/{kind.slug}",
            "title": kind.title,
            "status": kind.status,
            "detail": problem.detail,
            "request_id": request_id,
            **problem.extensions,
        }
    )


def problem_response(problem: Problem, *, request_id: str | None) -> Response:
    """The problem as a response."""
    return Response(
        problem_body(problem, request_id=request_id),
        status_code=TYPES[problem.slug].status,
        media_type=CONTENT_TYPE,
        headers=dict(problem.headers),
    )


def from_error(error: Exception) -> Problem | None:
    """The problem that an error of a service or of the database amounts to; None for a fault of ours."""
    match error:
        case Problem():
            return error
        case InvalidInput():
            return Problem(
                "invalid", str(error), extensions={"errors": [{"field": error.field, "message": str(error)}]}
            )
        case UnknownKind():
            return Problem("invalid", str(error), extensions={"errors": [{"field": "kind", "message": str(error)}]})
        case NotFound():
            return Problem("not-found", str(error))
        case Conflict():
            return Problem("conflict", str(error))
        case VersionMismatch():
            return Problem("version-mismatch", str(error), extensions={"current_version": error.current})
        case OutcomeUnknown():
            return Problem("outcome-unknown", str(error), {"Retry-After": str(error.retry_after_seconds)})
        case Unavailable():
            return Problem("unavailable", str(error), {"Retry-After": str(error.retry_after_seconds)})
        case DBAPIError() | PoolTimeout():
            return _from_database(error)
        case _:
            return None


def _from_database(error: DBAPIError | PoolTimeout) -> Problem | None:
    if isinstance(error, DBAPIError) and (constraint_name(error) or "").endswith("_account_id_accounts"):
        return Problem("unauthenticated", "The account of this access token is gone.")
    if classify(error) is Failure.OTHER:
        return None
    return Problem("unavailable", "PostgreSQL is busy or away.", {"Retry-After": "2"})


def _validation_problem(error: RequestValidationError) -> Problem:
    errors = error.errors()
    if any(item["type"] == "json_invalid" for item in errors):
        return Problem("bad-request", "The body is not valid JSON.")
    listed = [
        {"field": ".".join(str(part) for part in item["loc"][1:]), "message": item["msg"]} for item in errors[:50]
    ]
    first = listed[0]
    return Problem("invalid", f"{first['field'] or 'body'}: {first['message']}", extensions={"errors": listed})


def request_id(request: Request) -> str | None:
    """The id that the outermost middleware gave the request."""
    found: str | None = request.scope.get("state", {}).get("request_id")
    return found


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem."""

    def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        slug = _BY_STATUS.get(error.status_code, "bad-request" if error.status_code < 500 else "internal")
        return problem_response(
            Problem(slug, str(error.detail), dict(error.headers or {})), request_id=request_id(request)
        )

    def validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_response(_validation_problem(error), request_id=request_id(request))

    def any_error(request: Request, error: Exception) -> Response:
        problem = from_error(error)
        if problem is None:
            raise error
        return problem_response(problem, request_id=request_id(request))

    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    for kind in (
        Problem, InvalidInput, UnknownKind, NotFound, Conflict, VersionMismatch, Unavailable, DBAPIError, PoolTimeout,
    ):  # fmt: skip
        app.add_exception_handler(kind, any_error)
