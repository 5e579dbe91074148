"""SQS: batches, visibility, and what operators do with the dead-letter queue."""

import pytest

from taskhub_core.events.queue import EventQueue, Outgoing, QueueUnavailable, RedriveMethod, make_sqs_client
from taskhub_core.settings import QueueSettings
from taskhub_local.testing import SqsQueueNames


def _settings(endpoint_url: str) -> QueueSettings:
    return QueueSettings.model_validate({"sqs_endpoint_url": endpoint_url})


@pytest.fixture
def queue(sqs_endpoint_url: str, clean_queues: SqsQueueNames) -> EventQueue:
    return EventQueue(make_sqs_client(_settings(sqs_endpoint_url)), clean_queues.events)


@pytest.fixture
def dead_letters(sqs_endpoint_url: str, clean_queues: SqsQueueNames) -> EventQueue:
    return EventQueue(make_sqs_client(_settings(sqs_endpoint_url)), clean_queues.dead_letter)


def _messages(count: int, body: str = "body") -> list[Outgoing]:
    return [Outgoing(str(n), f"{body} {n}") for n in range(count)]


def test_any_number_of_messages_is_sent_in_batches_that_sqs_takes(queue: EventQueue) -> None:
    assert queue.send(_messages(23)) == {}
    large = [Outgoing(f"large{n}", "x" * 100_000) for n in range(5)]
    assert queue.send(large) == {}
    assert queue.counts().visible == 28


def test_a_message_that_sqs_does_not_take_is_named_and_its_neighbours_are_sent(queue: EventQueue) -> None:
    too_large = Outgoing("too-large", "x" * 3_000_000)
    with pytest.raises(QueueUnavailable):
        queue.send([too_large])
    assert queue.send(_messages(2)) == {}


def test_held_messages_are_hidden_until_they_are_given_back(queue: EventQueue) -> None:
    queue.send(_messages(3))
    held = queue.receive(visibility_seconds=60)
    assert len(held) == 3
    assert queue.receive(visibility_seconds=60) == []
    assert queue.counts().in_flight == 3
    assert queue.set_visibility(held, 0) == 0
    again = queue.receive(visibility_seconds=60)
    assert [message.receive_count for message in again] == [2, 2, 2]
    assert queue.delete(again) == 0
    assert queue.counts().in_flight == 0


def test_peeking_shows_reasons_and_takes_nothing_away(dead_letters: EventQueue) -> None:
    messages = [Outgoing(str(n), f"body {n}", "invalid", f"field {n}") for n in range(15)]
    dead_letters.send(messages)
    for _ in range(2):
        seen = dead_letters.peek(limit=50)
        assert {(message.body, message.reason, message.detail) for message in seen} == {
            (message.body, message.reason, message.detail) for message in messages
        }
    assert len(dead_letters.peek(limit=3)) == 3
    assert dead_letters.counts().visible == 15


def test_redrive_moves_every_message_where_sqs_does_not_do_it_itself(
    queue: EventQueue, dead_letters: EventQueue
) -> None:
    dead_letters.send(_messages(15))
    done = dead_letters.redrive_to(queue)
    assert (done.method, done.moved) == (RedriveMethod.MESSAGE_BY_MESSAGE, 15)
    assert (queue.counts().visible, dead_letters.counts().visible) == (15, 0)


def test_a_missing_queue_and_a_missing_service_are_both_an_outage(queue: EventQueue) -> None:
    client = make_sqs_client(_settings("http://127.0.0.1:9"))
    for unusable in (EventQueue(client, queue.name), EventQueue(queue._client, "no-such-queue")):
        with pytest.raises(QueueUnavailable) as raised:
            unusable.counts()
        assert raised.value.dependency == "sqs"
