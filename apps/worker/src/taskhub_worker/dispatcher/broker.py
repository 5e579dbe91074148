"""Looks at what Redis holds of the broker's: its epoch, and the ids in its messages."""

import base64
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from taskhub_core.redis_tls import tls_options
from taskhub_core.settings import BrokerSettings
from taskhub_worker.dispatcher.loop import DependencyAway

_EPOCH_KEY = "taskhub:broker-epoch"
_UNACKED_KEY = "unacked"  # kombu's: delivered and not acknowledged
_MOST_MESSAGES = 20_000


@dataclass(frozen=True, slots=True)
class Epoch:
    """Since when this Redis has kept its data: a key that is gone when the data is."""

    token: str
    began: datetime


@dataclass(frozen=True, slots=True)
class Contents:
    """The job ids that the broker knows of."""

    queued: frozenset[str]
    delivered: frozenset[str]


class BrokerView:
    """Reads, with time limits and without retries. Raises DependencyAway."""

    def __init__(self, settings: BrokerSettings, queues: Sequence[str] = ()) -> None:
        self._queues = tuple(dict.fromkeys([settings.job_queue_name, *queues]))
        self._client = redis.Redis.from_url(
            str(settings.redis_url),
            socket_timeout=settings.redis_socket_timeout_seconds,
            socket_connect_timeout=settings.redis_connect_timeout_seconds,
            retry=Retry(NoBackoff(), 1),  # once more, for a connection that died while it was idle
            **tls_options(settings.redis_url, settings),
        )

    def epoch(self, now: datetime) -> Epoch:
        """The present epoch; a new one that begins `now` (by PostgreSQL's clock) if there is none."""
        fresh = f"{secrets.token_hex(8)} {now.isoformat()}"
        try:
            self._client.set(_EPOCH_KEY, fresh, nx=True)
            value: Any = self._client.get(_EPOCH_KEY)
        except redis.RedisError as error:
            raise DependencyAway(f"Redis: {error!r}") from error
        if value is None:
            raise DependencyAway("Redis lost the epoch at once: it is being wiped")
        token, _, began = value.decode().partition(" ")
        return Epoch(token, datetime.fromisoformat(began))

    def depths(self) -> dict[str, int]:
        """Messages in each queue."""
        try:
            depths: list[Any] = [self._client.llen(queue) for queue in self._queues]
        except redis.RedisError as error:
            raise DependencyAway(f"Redis: {error!r}") from error
        return dict(zip(self._queues, map(int, depths), strict=True))

    def contents(self) -> Contents | None:
        """Every job id in a message; None when there are too many messages to look through.

        The queues are read first: a message that is delivered in between is then seen in at least one place.
        """
        if sum(self.depths().values()) > _MOST_MESSAGES:
            return None
        try:
            queued: list[Any] = [message for queue in self._queues for message in self._messages(queue)]
            delivered: Any = self._client.hvals(_UNACKED_KEY)
        except redis.RedisError as error:
            raise DependencyAway(f"Redis: {error!r}") from error
        return Contents(
            frozenset(_ids(orjson.loads(message) for message in queued)),
            frozenset(_ids(orjson.loads(entry)[0] for entry in delivered)),
        )

    def _messages(self, queue: str) -> list[Any]:
        messages: Any = self._client.lrange(queue, 0, -1)
        return list(messages)

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()


def _ids(messages: Iterable[dict[str, Any]]) -> Iterable[str]:
    """The ids in Celery's messages (protocol 2: the body is [args, kwargs, embedded])."""
    for message in messages:
        body = message["body"]
        if message["properties"].get("body_encoding") == "base64":
            body = base64.b64decode(body)
        yield from orjson.loads(body)[0][0]
