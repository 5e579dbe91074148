"""The dead-letter queue over HTTP, on a real SQS server: looking, sending back, and a server that is frozen."""

import time
from collections.abc import Callable

import pytest

from taskhub_core.accounts.models import Role
from taskhub_core.events.queue import EventQueue, Outgoing, make_sqs_client
from taskhub_core.settings import QueueSettings
from taskhub_local.testing import wait_for

EVENT = '{"event_id":"0190c5a8-6d1e-7000-8000-000000000000","type":"task.created","schema_version":9}'


@pytest.fixture
def queue(api, clean_queues) -> Callable[[str], EventQueue]:
    """Opens a queue behind the API's back."""
    client = make_sqs_client(QueueSettings(sqs_endpoint_url=api.settings.sqs_endpoint_url))
    return lambda name: EventQueue(client, name)


def test_a_look_into_the_queue_tells_why_and_takes_nothing_out(operator, queue, clean_queues):
    queue(clean_queues.dead_letter).send(
        [
            Outgoing("1", EVENT, reason="unknown_version", detail="version 9"),
            Outgoing("2", "{not json" + "x" * 10_000),
            Outgoing("3", "[1]"),
        ]
    )
    for _ in range(2):
        seen = operator.get("/v1/operator/dlq", params={"limit": 10})
        assert seen.status_code == 200
        letters = {letter["body"][:9]: letter for letter in seen.json()["items"]}
        assert len(letters) == 3
    told = letters['{"event_i']
    assert (told["reason"], told["detail"], told["type"]) == ("unknown_version", "version 9", "task.created")
    assert told["event_id"] == "0190c5a8-6d1e-7000-8000-000000000000"
    broken = letters["{not json"]
    assert (broken["reason"], broken["type"], len(broken["body"]), broken["size"]) == (None, None, 4_000, 10_009)
    assert seen.json()["messages"] == 3


def test_messages_are_sent_back_to_the_queue_of_events(operator, queue, clean_queues):
    queue(clean_queues.dead_letter).send([Outgoing(str(number), EVENT) for number in range(25)])
    answer = operator.post("/v1/operator/dlq/redrive", headers={"Idempotency-Key": "one-redrive"})
    assert (answer.status_code, answer.json()["moved"]) == (202, 25)
    wait_for(lambda: queue(clean_queues.events).counts().visible == 25)
    assert operator.get("/v1/operator/dlq").json()["items"] == []

    queue(clean_queues.dead_letter).send([Outgoing("1", EVENT)])
    again = operator.post("/v1/operator/dlq/redrive", headers={"Idempotency-Key": "one-redrive"})
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (answer.json(), "true")
    assert queue(clean_queues.dead_letter).counts().visible == 1


def test_a_missing_queue_is_unavailable_and_not_a_fault_of_ours(serve_api, client_of):
    running = serve_api(sqs_dlq_name="no-such-queue")
    client = client_of(role=Role.OPERATOR, api=running)
    assert client.get("/v1/operator/dlq").status_code == 503


def test_a_frozen_sqs_is_answered_at_once_and_holds_up_nobody_else(own_sqs, serve_api, client_of, frozen):
    running = serve_api(
        sqs_endpoint_url=own_sqs.url, sqs_queue_name="taskhub-events", sqs_dlq_name="taskhub-events-dlq"
    )
    client = client_of(role=Role.OPERATOR, api=running)
    assert client.get("/v1/operator/dlq").status_code == 200
    with frozen(own_sqs):
        started = time.monotonic()
        answer = client.get("/v1/operator/dlq")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
        assert "Retry-After" in answer.headers
        assert time.monotonic() - started < 4  # promised: 2 s
        assert client.post("/v1/tasks", json={"title": "meanwhile"}).status_code == 201
    wait_for(lambda: client.get("/v1/operator/dlq").status_code == 200)
