"""While PostgreSQL or Elasticsearch is away: nothing is received in vain, nothing is lost, and it goes on by itself."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from elasticsearch import Elasticsearch
from prometheus_client import REGISTRY

from taskhub_core.events.queue import EventQueue, Message, QueueUnavailable
from taskhub_local.testing import wait_for
from taskhub_local.testing.proxy import TcpProxy
from taskhub_sqs_consumer.settings import ConsumerSettings

from .conftest import RunConsumer, World, delete_index, documents, drained, wait_drained


@pytest.fixture
def elasticsearch_proxy(elasticsearch_url: str) -> Iterator[TcpProxy]:
    with TcpProxy(elasticsearch_url) as proxy:
        yield proxy


@pytest.fixture
def postgres_proxy(clean_database: str) -> Iterator[TcpProxy]:
    with TcpProxy(clean_database) as proxy:
        yield proxy


@dataclass(frozen=True, slots=True)
class Polls:
    """What every receive of this process came to."""

    receive_counts: list[int] = field(default_factory=list)
    """Of each message that it brought."""
    given_up: list[QueueUnavailable] = field(default_factory=list)


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> Polls:
    polls = Polls()
    receive = EventQueue.receive

    def watched(self: EventQueue, **options: int) -> list[Message]:
        try:
            messages = receive(self, **options)
        except QueueUnavailable as error:
            polls.given_up.append(error)
            raise
        polls.receive_counts.extend(message.receive_count for message in messages)
        return messages

    monkeypatch.setattr(EventQueue, "receive", watched)
    return polls


def _paused(settings: ConsumerSettings) -> bool:
    return REGISTRY.get_sample_value("taskhub_consumer_paused", {"queue": settings.sqs_queue_name}) == 1


def _wait_running(settings: ConsumerSettings) -> None:
    wait_for(lambda: not _paused(settings), deadline_seconds=20, message="receiving did not go on")


def _receive_counts(queue: EventQueue, expected: int) -> list[int]:
    """The receive counts of all messages, without this receive."""
    counts: dict[str, int] = {}

    def all_seen() -> bool:
        messages = queue.receive(visibility_seconds=5)
        counts.update({message.id: message.receive_count - 1 for message in messages})
        return len(counts) == expected

    wait_for(all_seen, deadline_seconds=10, message="not all messages are in the queue")
    return sorted(counts.values())


def test_while_elasticsearch_is_away_receive_counts_do_not_rise(
    world: World,
    queue: EventQueue,
    index: Elasticsearch,
    settings: ConsumerSettings,
    run_consumer: RunConsumer,
    elasticsearch_proxy: TcpProxy,
) -> None:
    with run_consumer(
        elasticsearch_url=elasticsearch_proxy.url, consumer_receivers=1, consumer_hold_seconds=0
    ) as consumer:
        _wait_running(settings)
        elasticsearch_proxy.refuse()
        tasks = world.create(*(f"Before {n}" for n in range(3)))
        world.publish()
        wait_for(lambda: _paused(settings), message="receiving was not paused")
        tasks += world.create(*(f"During {n}" for n in range(3)))
        world.publish()
        health = f"http://127.0.0.1:{consumer.health.port}/livez"
        assert httpx.get(health).status_code == 200, "an outage must not have the consumer restarted"
        # Those in the batch that met the outage were received once, perhaps; nothing else was, however long it lasts.
        counts = _receive_counts(queue, 6)
        assert counts[:3] == [0, 0, 0]
        assert counts[3:] <= [1, 1, 1]
        assert len(world.feed()) == 0
        elasticsearch_proxy.restore()
        _wait_running(settings)
        wait_drained(queue)
    assert documents(index, settings.search_alias).keys() == {str(task.id) for task in tasks}
    assert len(world.feed()) == 6


def test_messages_in_work_stay_hidden_for_longer_than_their_visibility_timeout(
    world: World,
    queue: EventQueue,
    settings: ConsumerSettings,
    run_consumer: RunConsumer,
    elasticsearch_proxy: TcpProxy,
    polls: Polls,
) -> None:
    with run_consumer(elasticsearch_url=elasticsearch_proxy.url, consumer_visibility_seconds=3):
        _wait_running(settings)
        elasticsearch_proxy.refuse()
        world.create("Held")
        world.publish()
        wait_for(lambda: _paused(settings), message="receiving was not paused")
        held_until = time.monotonic() + 5
        while time.monotonic() < held_until:
            assert queue.receive(visibility_seconds=0, wait_seconds=1) == [], "the message became visible"
        elasticsearch_proxy.restore()
        wait_drained(queue)
    # A short outage costs a message no receive: it was held, and then processed.
    assert polls.receive_counts == [1]


@pytest.mark.parametrize("fault", ["refuse", "freeze"])
def test_postgresql_away_pauses_and_everything_arrives_when_it_is_back(
    world: World,
    queue: EventQueue,
    settings: ConsumerSettings,
    run_consumer: RunConsumer,
    postgres_proxy: TcpProxy,
    fault: str,
) -> None:
    with run_consumer(database_url=postgres_proxy.url, consumer_unit_seconds=1):
        _wait_running(settings)
        getattr(postgres_proxy, fault)()
        world.create(*(f"Task {n}" for n in range(5)))
        world.publish()
        wait_for(lambda: _paused(settings), deadline_seconds=15, message="receiving was not paused")
        assert world.feed() == []
        postgres_proxy.restore()
        wait_drained(queue)
    assert len(world.feed()) == 5


def test_what_a_poll_brings_during_a_stop_is_processed(
    world: World, queue: EventQueue, settings: ConsumerSettings, run_consumer: RunConsumer
) -> None:
    world.create("Nearly too late")
    events = world.take_events()
    with run_consumer(consumer_wait_seconds=5, consumer_visibility_seconds=600) as consumer:
        _wait_running(settings)
        consumer._stopping.set()
        world.publish(events)
    # Given back, it would have gone from one stopping receiver to the next, and after five of them to the DLQ.
    assert drained(queue)
    assert len(world.feed()) == 1


def test_what_cannot_be_processed_when_it_stops_costs_one_receive(
    world: World, queue: EventQueue, settings: ConsumerSettings, run_consumer: RunConsumer, postgres_proxy: TcpProxy
) -> None:
    with run_consumer(
        database_url=postgres_proxy.url,
        consumer_unit_seconds=1,
        consumer_wait_seconds=4,
        consumer_visibility_seconds=600,
    ) as consumer:
        _wait_running(settings)
        postgres_proxy.refuse()
        world.create("Later")
        world.publish()
        wait_for(lambda: _paused(settings), deadline_seconds=15, message="receiving was not paused")
        consumer._stopping.set()  # The polls of the other receivers are under way.
    assert _receive_counts(queue, 1) == [1]


def test_a_deleted_index_is_built_anew_with_everything_in_it(
    world: World, queue: EventQueue, index: Elasticsearch, settings: ConsumerSettings, run_consumer: RunConsumer
) -> None:
    tasks = world.create(*(f"Task {n}" for n in range(5)))
    world.publish()
    with run_consumer():
        wait_drained(queue)
        delete_index(index, settings.search_alias)
        tasks += world.create("The event that finds out")
        world.publish()
        wait_drained(queue)
    assert documents(index, settings.search_alias).keys() == {str(task.id) for task in tasks}


def test_sqs_away_is_waited_out(
    world: World, queue: EventQueue, settings: ConsumerSettings, run_consumer: RunConsumer, sqs_endpoint_url: str
) -> None:
    with TcpProxy(sqs_endpoint_url) as proxy, run_consumer(sqs_endpoint_url=proxy.url):
        _wait_running(settings)
        proxy.refuse()
        world.create("Late")
        world.publish()
        proxy.restore()
        wait_drained(queue)
    assert len(world.feed()) == 1


def test_what_sqs_hands_to_a_poll_that_gave_up_comes_again_when_its_visibility_ends(
    world: World,
    queue: EventQueue,
    settings: ConsumerSettings,
    run_consumer: RunConsumer,
    sqs_endpoint_url: str,
    polls: Polls,
) -> None:
    timing = {"sqs_read_timeout_seconds": 0.5, "consumer_wait_seconds": 2, "consumer_visibility_seconds": 5}
    with TcpProxy(sqs_endpoint_url) as proxy, run_consumer(sqs_endpoint_url=proxy.url, **timing):
        _wait_running(settings)
        world.create("Its end shows that receivers poll")
        world.publish()
        wait_drained(queue)
        proxy.freeze()
        world.create("Handed to nobody")
        world.publish()
        wait_for(lambda: queue.counts().in_flight == 1, message="no poll was under way")
        wait_for(lambda: len(polls.given_up) >= settings.consumer_receivers, message="the receivers still wait")
        proxy.restore()
        wait_drained(queue)
    # Twice as a rule; once more for each poll that was begun, and given up, before it could be answered.
    assert polls.receive_counts[0] == 1
    assert polls.receive_counts[1] >= 2
    assert len(polls.receive_counts) == 2
    assert len(world.feed()) == 2
