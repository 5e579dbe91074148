"""`taskhub after-restore`: what is left to do once PostgreSQL is back at an earlier time, here or on AWS.

What happened after that time is undone in PostgreSQL alone. Messages in SQS still tell of it, and the index still has
it: the first are removed while nothing runs, the second is built anew. Redis needs nothing. It holds ids of jobs; what
is too many finds no job to claim, and what is missing the dispatcher publishes again.
"""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import orjson
from rich.console import Console

from taskhub_core.events.queue import EventQueue, Message, QueueUnavailable, make_sqs_client
from taskhub_core.settings import QueueSettings
from taskhub_local.demo.client import Api
from taskhub_local.demo.report import Report
from taskhub_local.errors import LocalError
from taskhub_local.platform.runfile import AccountInfo

_MARGIN = timedelta(seconds=60)
"""Longer than a transaction may take: an event says when its transaction began, not when that was committed."""
_HIDDEN_SECONDS = 600
_LONGEST_VISIBILITY_SECONDS = 180.0
"""Longer than a consumer that was killed can still hold messages."""
_POLL_SECONDS = 0.5
_LOOKS = 5
_ENDS = frozenset({"succeeded", "dead", "cancelled"})


def after_restore(to: datetime, api_url: str, operator: AccountInfo, *, patience_seconds: float) -> int:
    """Do it, and show each step. Between the first two somebody starts TaskHub.

    `to` is the time that was restored to. Queues and credentials are those of the environment. Raises LocalError when
    TaskHub runs already, when it is not ready in time, and when a step fails.
    """
    if answers(api_url, "/livez"):
        raise LocalError(f"TaskHub runs at {api_url}: stop all of its processes first, and only then restore")
    report = Report(Console(highlight=False))
    settings = QueueSettings()
    for name in (settings.sqs_queue_name, settings.sqs_dlq_name):
        with report.step(f"messages in {name}") as step:
            step.result = forget(name, settings, since=to)
    with report.step("wait until TaskHub is started, and ready") as step:
        _wait_ready(api_url, patience_seconds)
        step.result = api_url
    # What was just restored is slow at first.
    api = Api(api_url, patience_seconds=patience_seconds)
    try:
        api.log_in(operator.email, operator.password)
        with report.step("search.reindex") as step:
            step.result = _line(_result(api, {"mode": "full"}))
        with report.step("the index against PostgreSQL") as step:
            step.result = _compare(api)
    finally:
        api.close()
    return 0


def answers(api_url: str, path: str) -> bool:
    """Whether the API answers that page with 200."""
    try:
        return httpx.get(f"{api_url}{path}", timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def forget(name: str, settings: QueueSettings, *, since: datetime) -> str:
    """Remove the messages of a queue that tell of what happened since then, and say how many there were.

    Older ones stay. Raises LocalError when SQS does not answer.
    """
    queue = EventQueue(make_sqs_client(settings, wait_seconds=1), name)
    deadline = time.monotonic() + _LONGEST_VISIBILITY_SECONDS
    kept: list[Message] = []
    removed = 0
    try:
        while _others(queue, kept):
            messages = queue.receive(visibility_seconds=_HIDDEN_SECONDS, wait_seconds=1)
            late = [message for message in messages if _happened_since(message, since - _MARGIN)]
            queue.delete(late)
            removed += len(late)
            kept += [message for message in messages if message not in late]
            if not messages and time.monotonic() > deadline:
                raise LocalError(f"somebody holds messages of {name}: does a consumer still run?")
        queue.set_visibility(kept, 0)
    except QueueUnavailable as error:
        raise LocalError(str(error)) from error
    return f"{removed} of after the restore's time removed, {len(kept)} kept"


def _line(result: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in result.items())


def _others(queue: EventQueue, kept: list[Message]) -> bool:
    """Whether there are messages beside those. What a killed consumer holds is there, and comes back."""
    counts = queue.counts()
    return counts.visible + counts.in_flight + counts.delayed > len(kept)


def _happened_since(message: Message, moment: datetime) -> bool:
    """Whether it is an event of since then. What is no event is left to the consumer."""
    try:
        happened = datetime.fromisoformat(orjson.loads(message.body)["occurred_at"])
    except (ValueError, KeyError, TypeError):
        return False
    return happened.tzinfo is not None and happened >= moment


def _wait_ready(api_url: str, patience_seconds: float) -> None:
    deadline = time.monotonic() + patience_seconds
    while not answers(api_url, "/readyz"):
        if time.monotonic() > deadline:
            raise LocalError(
                f"{api_url}/readyz did not answer 200 for {patience_seconds:g} s; start TaskHub, then again"
            )
        time.sleep(_POLL_SECONDS)


def _result(api: Api, args: dict[str, Any]) -> dict[str, Any]:
    """Run a search.reindex to its end, by looks that may be repeated; return what it gave back. Raises DemoError."""
    job_id = api.submit("search.reindex", args)
    while api.get(f"/v1/jobs/{job_id}")["state"] not in _ENDS:
        time.sleep(_POLL_SECONDS)
    return api.result(job_id)


def _compare(api: Api) -> str:
    """Compare until there is no difference: events that are late may look like one, and each look repairs it."""
    for _ in range(_LOOKS):
        found = _result(api, {"mode": "repair"})
        if not any(found[name] for name in ("missing", "stale", "superfluous")):
            return f"{found['documents_found']} documents, all as PostgreSQL has them"
    raise LocalError(f"the index still differs from PostgreSQL after {_LOOKS} repairs: {_line(found)}")
