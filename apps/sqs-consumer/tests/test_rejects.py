"""Messages that nothing can be done with stop nobody."""

import orjson
import pytest
from elasticsearch import Elasticsearch
from prometheus_client import REGISTRY

from taskhub_core.events.queue import EventQueue, Outgoing
from taskhub_core.search.index import MAPPINGS, new_index_name, swap_alias
from taskhub_core.tasks.formats import TaskDraft
from taskhub_core.tasks.service import NewTask, create
from taskhub_local.testing import wait_for
from taskhub_sqs_consumer.settings import ConsumerSettings

from .conftest import RunConsumer, World, delete_index, documents, wait_drained


def _altered(message: Outgoing, **changes: object) -> Outgoing:
    return Outgoing(message.id, orjson.dumps(orjson.loads(message.body) | changes).decode())


def test_what_is_no_event_goes_to_the_dlq_with_its_reason_while_others_pass(
    world: World, queue: EventQueue, dead_letters: EventQueue, run_consumer: RunConsumer
) -> None:
    world.create(*(f"Task {n}" for n in range(12)))
    events = world.take_events()
    bad = {
        "not json": "malformed",
        "[]": "malformed",
        '"x"': "malformed",
        "{}": "unknown_version",
        _altered(events[0], schema_version=2).body: "unknown_version",
        _altered(events[1], account_id="nobody").body: "invalid",
        _altered(events[2], data={"title": "half a task"}).body: "invalid",
    }
    before = {reason: _rejected(reason) for reason in set(bad.values())}
    world.publish([*events[3:8], *(Outgoing(f"bad{n}", body) for n, body in enumerate(bad)), *events[8:]])
    with run_consumer():
        wait_drained(queue)
    assert {message.body: message.reason for message in dead_letters.peek(limit=20)} == bad
    assert {str(row.event_id) for row in world.feed()} == {event.id for event in events[3:]}
    assert sum(_rejected(reason) - before[reason] for reason in before) == len(bad)


def _rejected(reason: str) -> float:
    return REGISTRY.get_sample_value("taskhub_events_rejected_total", {"reason": reason}) or 0.0


def test_the_reason_names_the_field_and_never_shows_what_is_in_it(
    world: World, queue: EventQueue, dead_letters: EventQueue, run_consumer: RunConsumer
) -> None:
    world.create("Task")
    (event,) = world.take_events()
    world.publish([_altered(event, account_id="a-private-thing")])
    with run_consumer():
        wait_drained(queue)
    (message,) = dead_letters.peek()
    assert message.detail is not None
    assert "account_id" in message.detail
    assert "a-private-thing" not in message.detail


def test_without_a_dlq_what_is_no_event_still_stops_nobody(
    world: World, queue: EventQueue, run_consumer: RunConsumer
) -> None:
    world.create(*(f"Task {n}" for n in range(3)))
    world.publish([Outgoing("bad", "not json"), *world.take_events()])
    with run_consumer(sqs_dlq_name="no-such-queue"):
        wait_for(lambda: len(world.feed()) == 3, message="the neighbours did not pass")
        wait_for(lambda: queue.counts().visible + queue.counts().in_flight == 1, message="the message is gone")


def test_a_poisonous_event_goes_to_the_dlq_after_its_receives_while_its_neighbours_pass(
    world: World, queue: EventQueue, dead_letters: EventQueue, run_consumer: RunConsumer
) -> None:
    world.create(*(f"Task {n}" for n in range(10)))
    events = world.take_events()
    # A valid event that PostgreSQL cannot store: its text type takes no NUL.
    poison = _altered(events[4], summary="nul \x00 nul")
    world.publish([*events[:4], poison, *events[5:]])
    with run_consumer(consumer_retry_seconds=0):
        wait_for(lambda: len(world.feed()) == 9, message="the neighbours did not pass")
        wait_for(lambda: dead_letters.counts().visible == 1, deadline_seconds=30, message="the poison stays")
        wait_drained(queue)
    (message,) = dead_letters.peek()
    assert message.body == poison.body
    assert message.reason is None


def test_a_document_that_the_index_refuses_is_in_the_feed_and_in_the_dlq(
    world: World,
    queue: EventQueue,
    dead_letters: EventQueue,
    index: Elasticsearch,
    settings: ConsumerSettings,
    run_consumer: RunConsumer,
) -> None:
    delete_index(index, settings.search_alias)
    # An index of a release whose tags were numbers: no field that is added would help.
    properties = {**MAPPINGS["properties"], "tags": {"type": "long"}}
    name = new_index_name(settings.search_alias)
    index.indices.create(index=name, mappings={**MAPPINGS, "properties": properties})
    swap_alias(index, settings.search_alias, to=name)
    with world.engine.begin() as connection:
        drafts = [TaskDraft(title="Refused", tags=("word",)), TaskDraft(title="Taken")]
        refused, taken = create(connection, world.account_id, [NewTask(draft) for draft in drafts])
    world.publish()
    with run_consumer():
        wait_drained(queue)
    assert documents(index, settings.search_alias).keys() == {str(taken.id)}
    assert len(world.feed()) == 2
    (message,) = dead_letters.peek()
    assert (message.reason, str(refused.id) in message.body) == ("index_refused", True)
    assert "tags" in (message.detail or "")


@pytest.mark.parametrize("receivers", [1, 4])
def test_redriven_messages_are_processed_again_and_harmlessly(
    world: World, queue: EventQueue, dead_letters: EventQueue, run_consumer: RunConsumer, receivers: int
) -> None:
    world.create("One", "Two")
    events = world.publish()
    with run_consumer(consumer_receivers=receivers):
        wait_drained(queue)
        assert dead_letters.send(events) == {}
        assert dead_letters.redrive_to(queue).moved == 2
        wait_drained(queue)
    assert len(world.feed()) == 2
    assert dead_letters.counts().visible == 0
