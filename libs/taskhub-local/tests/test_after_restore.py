"""After a restore SQS holds nothing of what was undone, and keeps what is older; a running TaskHub is not touched."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import orjson
import pytest
from pydantic import HttpUrl

from taskhub_core.events.queue import EventQueue, Outgoing, make_sqs_client
from taskhub_core.settings import QueueSettings
from taskhub_local.commands.after_restore import after_restore, forget
from taskhub_local.errors import LocalError
from taskhub_local.platform.runfile import AccountInfo
from taskhub_local.testing import SqsQueueNames

POINT = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def settings(sqs_endpoint_url: str, clean_queues: SqsQueueNames) -> QueueSettings:
    return QueueSettings(sqs_endpoint_url=HttpUrl(sqs_endpoint_url), sqs_queue_name=clean_queues.events)


@pytest.fixture
def queue(settings: QueueSettings) -> EventQueue:
    return EventQueue(make_sqs_client(settings, wait_seconds=1), settings.sqs_queue_name)


def event(number: int, *, after_seconds: float) -> Outgoing:
    happened = POINT + timedelta(seconds=after_seconds)
    return Outgoing(str(number), orjson.dumps({"number": number, "occurred_at": happened}).decode())


def test_messages_of_what_was_undone_are_removed_and_older_ones_stay(
    queue: EventQueue, settings: QueueSettings
) -> None:
    older = [event(number, after_seconds=-120) for number in range(12)]
    queue.send([*older, event(20, after_seconds=-10), event(21, after_seconds=10), Outgoing("22", "no event")])
    assert "2 of after the restore's time removed, 13 kept" in forget(queue.name, settings, since=POINT)
    left = {message.body for message in queue.peek(limit=50)}
    assert left == {"no event", *(message.body for message in older)}


def test_messages_that_a_killed_consumer_holds_are_waited_for(queue: EventQueue, settings: QueueSettings) -> None:
    queue.send([event(1, after_seconds=10)])
    assert queue.receive(visibility_seconds=3)
    assert "1 of after the restore's time removed" in forget(queue.name, settings, since=POINT)


@pytest.fixture
def running_api() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - http.server's name
            """Nobody reads it."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_nothing_is_done_while_taskhub_runs(running_api: str) -> None:
    with pytest.raises(LocalError, match="stop all of its processes first"):
        after_restore(POINT, running_api, AccountInfo(email="", password=""), patience_seconds=0)
