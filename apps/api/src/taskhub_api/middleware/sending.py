"""Answering with a problem from a middleware, where there is no route yet."""

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from taskhub_api.problems import Problem, problem_response


def has_body(scope: Scope) -> bool:
    """Whether the request announces a body."""
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def send_problem(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the problem as the whole answer.

    The connection ends with it if there is a body: nobody reads the rest, which a client could send for ever.
    """
    response = problem_response(problem, request_id=scope.get("state", {}).get("request_id"))
    if has_body(scope):
        response.headers["Connection"] = "close"
    await response(scope, receive, send)
