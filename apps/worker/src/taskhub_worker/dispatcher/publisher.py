"""Publishes job ids to the broker."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from celery import Celery
from kombu import Connection
from kombu import exceptions as kombu_exceptions

from taskhub_core.jobs.broker import TASK_NAME
from taskhub_core.jobs.dispatch import Dispatched
from taskhub_core.jobs.registry import Registry

_SPREAD = 4
"""A backlog of a batched kind goes out in at least this many messages, so that one worker does not get all of it."""
_COMMANDS_A_PIPELINE = 500
_LIBRARY_ERRORS: tuple[type[Exception], ...] = (kombu_exceptions.KombuError,)


class BrokerAway(Exception):
    """The broker could not be reached: nothing was published."""


class PublishUncertain(Exception):
    """The connection broke while publishing: some, all or none of it arrived."""


@dataclass(slots=True)
class _Group:
    kind: str
    ids: list[uuid.UUID] = field(default_factory=list)


def messages(
    jobs: Sequence[Dispatched], registry: Registry, run_sizes: Mapping[str, int] = MappingProxyType({})
) -> Iterable[list[str]]:
    """Splits the jobs into messages, in their order.

    Only first attempts of one kind and priority share a message: a job that was tried before travels alone, so that
    one that kills its worker cannot cost its mates further attempts. `run_sizes`: how many jobs of a kind that is not
    batched may share one.
    """
    batch_sizes = {kind.name: max(kind.batch_size, run_sizes.get(kind.name, 1)) for kind in registry.all()}
    groups: dict[object, _Group] = {}
    for job in jobs:
        shared = batch_sizes.get(job.kind, 1) > 1 and job.attempt == 0
        key = (job.kind, job.priority) if shared else job.job_id
        groups.setdefault(key, _Group(job.kind)).ids.append(job.job_id)
    for group in groups.values():
        size = min(batch_sizes.get(group.kind, 1), -(-len(group.ids) // _SPREAD))
        for start in range(0, len(group.ids), size):
            yield [str(job_id) for job_id in group.ids[start : start + size]]


class Publisher:
    """One connection to the broker, for one thread; opened when needed, dropped when it fails."""

    def __init__(self, app: Celery, registry: Registry, queues: Mapping[str, str] = MappingProxyType({})) -> None:
        self._app = app
        self._registry = registry
        self._queues = queues
        self._connection: Connection | None = None
        self._producer: Any = None  # celery-types does not know of kombu 5.7's batches

    def check(self) -> None:
        """Raises BrokerAway unless the broker answers now, on the connection that the next publish uses."""
        try:
            self._ping()
        except Exception as first:
            # An idle connection may have died with an earlier broker: one fresh one decides.
            self.close()
            try:
                self._ping()
            except Exception as error:
                self.close()
                raise BrokerAway(f"Redis does not answer: {error!r} (before: {first!r})") from error

    def publish(self, jobs: Sequence[Dispatched], run_sizes: Mapping[str, int] = MappingProxyType({})) -> None:
        """Sends the ids, as `messages` splits them. Call `check` before. Raises PublishUncertain."""
        if self._producer is None:
            raise RuntimeError("check() comes before publish()")
        errors = (*_LIBRARY_ERRORS, *self._connection_errors())
        # A message has jobs of one kind: the queue of its first one is that of all.
        queues = {str(job.job_id): self._queues.get(job.kind) for job in jobs} if self._queues else {}
        try:
            with self._producer.batch(max_size=_COMMANDS_A_PIPELINE):
                for ids in messages(jobs, self._registry, run_sizes):
                    self._app.send_task(TASK_NAME, args=[ids], producer=self._producer, queue=queues.get(ids[0]))
        except errors as error:
            self.close()
            raise PublishUncertain(f"Redis did not confirm the messages: {error!r}") from error

    def close(self) -> None:
        """Drops the connection."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with suppress(Exception):  # whatever closing a broken connection raises, the connection is gone
                connection.collect()

    def _ping(self) -> None:
        if self._producer is None:
            self._connection = self._app.connection_for_write()
            self._producer = self._app.amqp.Producer(self._connection.default_channel)
        with self._producer.channel.conn_or_acquire() as client:
            client.ping()

    def _connection_errors(self) -> tuple[type[BaseException], ...]:
        if self._connection is None:
            return ()
        errors: tuple[type[BaseException], ...] = self._connection.connection_errors + self._connection.channel_errors
        return errors
