"""A worker's slots come back, whatever Redis does while a message is acknowledged."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from kombu import Connection, Consumer, Producer, Queue

from taskhub_local.parts.redis import RedisPart
from taskhub_worker.worker.consumer import free_slots_of_failed_acks


@pytest.fixture
def connection(own_redis: RedisPart) -> Iterator[Connection]:
    options = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3, "max_retries": 0}
    with Connection(own_redis.url, transport_options=options) as connection:
        yield connection


@pytest.mark.parametrize("outcome", ["ack", "reject"])
def test_a_failed_acknowledgement_frees_the_slot(own_redis: RedisPart, connection: Connection, outcome: str) -> None:
    channel = connection.default_channel
    free_slots_of_failed_acks(channel.qos)
    received: list[Any] = []
    queue = Queue("jobs", channel=channel)
    queue.declare()
    with Consumer(channel, [queue], prefetch_count=1, on_message=received.append):
        producer = Producer(channel)
        producer.publish({}, routing_key="jobs")
        producer.publish({}, routing_key="jobs")
        connection.drain_events(timeout=5)
        assert not channel.qos.can_consume(), "there was a slot for a second message"
        own_redis.kill(signal.SIGSTOP)
        try:
            with pytest.raises(redis.exceptions.TimeoutError):
                getattr(received[0], outcome)()
        finally:
            own_redis.kill(signal.SIGCONT)
        assert channel.qos.can_consume(), "the slot is gone for good"
        connection.drain_events(timeout=5)
    assert len(received) == 2
