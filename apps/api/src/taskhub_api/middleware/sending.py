"""Answering with a problem from a middleware, where there is no route yet."""

from starlette.types import Receive, Scope, Send

from taskhub_api.problems import Problem, problem_response


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that name (in lower case, as the server hands them over), or None."""
    for found, value in scope["headers"]:
        if found == name:
            return bytes(value).decode("latin-1")
    return None


def has_body(scope: Scope) -> bool:
    """Whether the request announces a body."""
    return (header(scope, b"content-length") or "0") != "0" or header(scope, b"transfer-encoding") is not None


async def send_problem(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the problem as the whole answer.

    The connection ends with it if there is a body: nobody reads the rest, which a client could send for ever.
    """
    response = problem_response(problem, request_id=scope.get("state", {}).get("request_id"))
    if has_body(scope):
        response.headers["Connection"] = "close"
    await response(scope, receive, send)
