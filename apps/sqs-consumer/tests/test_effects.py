"""What an event does, once, whatever order and however often it comes."""

import random
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from elasticsearch import Elasticsearch
from sqlalchemy import text

from taskhub_core.events.queue import EventQueue, Outgoing
from taskhub_core.ids import derived_id
from taskhub_sqs_consumer.settings import ConsumerSettings

from .conftest import RunConsumer, World, documents, wait_drained


def _add_webhook(
    world: World, *, types: list[str], account_id: uuid.UUID | None = None, disabled: bool = False
) -> uuid.UUID:
    webhook_id = uuid.uuid4()
    with world.engine.begin() as connection:
        connection.execute(
            text(
                """
                INSERT INTO webhooks (id, account_id, url, secret, event_types, disabled_at)
                VALUES (:id, :account_id, 'https://example.com/hook', 's', :types, :disabled_at)
                """
            ),
            {
                "id": webhook_id,
                "account_id": account_id or world.account_id,
                "types": types,
                "disabled_at": datetime.now(UTC) if disabled else None,
            },
        )
    return webhook_id


def test_events_out_of_order_never_overwrite_a_newer_version(
    world: World, queue: EventQueue, index: Elasticsearch, settings: ConsumerSettings, run_consumer: RunConsumer
) -> None:
    tasks = world.create(*(f"Task {n}" for n in range(8)))
    for round_ in range(3):
        for task in tasks:
            world.change(task, f"Round {round_}")
    world.delete(tasks[0])
    events = world.take_events()
    random.Random(7).shuffle(events)
    world.publish(events)
    with run_consumer():
        wait_drained(queue)
    found = documents(index, settings.search_alias)
    assert found.pop(str(tasks[0].id))["deleted"] is True
    assert {(source["title"], source["version"]) for source in found.values()} == {("Round 2", 4)}
    assert len(world.feed()) == len(events)


def test_a_duplicate_is_one_line_in_the_feed_and_one_delivery(
    world: World, queue: EventQueue, run_consumer: RunConsumer
) -> None:
    webhook_id = _add_webhook(world, types=[])
    world.create("Once")
    (event,) = world.take_events()
    world.publish([replace(event, id=str(copy)) for copy in range(25)])
    with run_consumer():
        wait_drained(queue)
        world.publish([event])
        wait_drained(queue)
    assert [row.event_id for row in world.feed()] == [uuid.UUID(event.id)]
    jobs = world.rows("SELECT id, kind, account_id, args FROM jobs WHERE kind = 'webhook.deliver'")
    assert [job.id for job in jobs] == [derived_id("webhook", uuid.UUID(event.id), webhook_id)]
    assert jobs[0].args["webhook_id"] == str(webhook_id)
    assert jobs[0].args["event"]["event_id"] == event.id
    assert jobs[0].args["event"]["data"]["title"] == "Once"


def test_only_webhooks_that_asked_for_the_event_get_it(
    world: World, queue: EventQueue, run_consumer: RunConsumer, new_account: Callable[[], uuid.UUID]
) -> None:
    everything = _add_webhook(world, types=[])
    deletions = _add_webhook(world, types=["task.deleted", "job.dead"])
    _add_webhook(world, types=["job.succeeded"])
    _add_webhook(world, types=[], disabled=True)
    _add_webhook(world, types=[], account_id=new_account())
    (task,) = world.create("Short-lived")
    world.delete(task)
    world.publish()
    with run_consumer():
        wait_drained(queue)
    jobs = world.rows("SELECT args FROM jobs WHERE kind = 'webhook.deliver'")
    delivered = sorted((job.args["event"]["type"], job.args["webhook_id"]) for job in jobs)
    assert delivered == sorted(
        [
            ("task.created", str(everything)),
            ("task.deleted", str(everything)),
            ("task.deleted", str(deletions)),
        ]
    )


def test_a_delivery_belongs_to_the_story_of_its_event(
    world: World, queue: EventQueue, run_consumer: RunConsumer
) -> None:
    _add_webhook(world, types=[])
    world.create("Told")
    (event,) = world.take_events()
    world.publish([Outgoing(event.id, event.body.replace('"context":{}', '"context":{"request_id":"r-17"}'))])
    with run_consumer():
        wait_drained(queue)
    (job,) = world.rows("SELECT context FROM jobs WHERE kind = 'webhook.deliver'")
    assert job.context["request_id"] == "r-17"


def test_events_of_an_account_that_is_gone_end_quietly(
    world: World, queue: EventQueue, dead_letters: EventQueue, run_consumer: RunConsumer
) -> None:
    world.create("Orphan")
    events = world.take_events()
    world.rows("DELETE FROM accounts WHERE id = :id RETURNING id", id=world.account_id)
    world.publish(events)
    with run_consumer():
        wait_drained(queue)
    assert world.feed() == []
    assert dead_letters.counts().visible == 0


def test_without_elasticsearch_there_is_a_feed_and_no_index(
    world: World, queue: EventQueue, run_consumer: RunConsumer, index: Elasticsearch, settings: ConsumerSettings
) -> None:
    world.create("Feed only")
    world.publish()
    with run_consumer(elasticsearch_url=None):
        wait_drained(queue)
    assert len(world.feed()) == 1
    assert documents(index, settings.search_alias) == {}
