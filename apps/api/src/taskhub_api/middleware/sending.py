"""Answering with a problem from a middleware, where there is no route yet."""

from starlette.types import Receive, Scope, Send

from taskhub_api.problems import Problem, problem_response


async def send_problem(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the problem as the whole answer."""
    request_id = scope.get("state", {}).get("request_id")
    await problem_response(problem, request_id=request_id)(scope, receive, send)
