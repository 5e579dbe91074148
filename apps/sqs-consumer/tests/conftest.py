"""Fixtures of the consumer's tests: a consumer in front of real servers, and what it needs to eat."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import pytest
import structlog
from elasticsearch import Elasticsearch
from sqlalchemy import Engine, text

from taskhub_core.database.engine import make_engine
from taskhub_core.events import outbox
from taskhub_core.events.queue import EventQueue, Outgoing, make_sqs_client
from taskhub_core.jobs.registry import registry
from taskhub_core.search.client import make_client
from taskhub_core.search.index import create_index, indices_behind, new_index_name, swap_alias
from taskhub_core.tasks import service
from taskhub_core.tasks.formats import TaskDraft
from taskhub_core.tasks.service import NewTask
from taskhub_core.tasks.task import Task
from taskhub_local.testing import SqsQueueNames, wait_for
from taskhub_sqs_consumer.consumer import Consumer
from taskhub_sqs_consumer.settings import ConsumerSettings


@pytest.fixture(scope="session", autouse=True)
def _short_tracebacks() -> None:
    """structlog's default renders each traceback for seconds, while the messages of its batch are hidden."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, renderer]
    )


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    registry.load()
    made = make_engine(ConsumerSettings.model_validate({"database_url": database_url}), application_name="tests")
    yield made
    made.dispose()


@pytest.fixture
def settings(
    clean_database: str, sqs_endpoint_url: str, clean_queues: SqsQueueNames, elasticsearch_url: str, search_alias: str
) -> ConsumerSettings:
    """A consumer's settings, with times that suit a test."""
    return ConsumerSettings.model_validate(
        {
            "database_url": clean_database,
            "sqs_endpoint_url": sqs_endpoint_url,
            "sqs_queue_name": clean_queues.events,
            "sqs_dlq_name": clean_queues.dead_letter,
            "elasticsearch_url": elasticsearch_url,
            "search_alias": search_alias,
            "metrics_host": "127.0.0.1",
            "metrics_port": 0,
            "consumer_wait_seconds": 1,
            "consumer_visibility_seconds": 6,
        }
    )


@pytest.fixture
def queue(settings: ConsumerSettings) -> EventQueue:
    return EventQueue(make_sqs_client(settings), settings.sqs_queue_name)


@pytest.fixture
def dead_letters(settings: ConsumerSettings) -> EventQueue:
    return EventQueue(make_sqs_client(settings), settings.sqs_dlq_name)


@pytest.fixture
def index(settings: ConsumerSettings) -> Iterator[Elasticsearch]:
    """Elasticsearch with an empty index: what is in it later came by events, not by a rebuild from PostgreSQL."""
    client = make_client(settings)
    name = new_index_name(settings.search_alias)
    create_index(client, name)
    swap_alias(client, settings.search_alias, to=name)
    yield client
    client.close()


class RunConsumer(Protocol):
    """Runs a consumer within a block."""

    def __call__(self, **changed: Any) -> Any:
        """`changed` replaces settings."""
        ...


@pytest.fixture
def run_consumer(settings: ConsumerSettings, index: Elasticsearch) -> RunConsumer:
    @contextmanager
    def run(**changed: Any) -> Iterator[Consumer]:
        consumer = Consumer(changed_settings(settings, **changed))
        consumer.start()
        try:
            yield consumer
        finally:
            assert consumer.stop(), "the consumer did not stop in time"

    return run


def changed_settings(settings: ConsumerSettings, **changed: Any) -> ConsumerSettings:
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return ConsumerSettings.model_validate({**given, **changed})


@dataclass
class World:
    """An account whose tasks change, and whose events are published as the dispatcher publishes them."""

    engine: Engine
    queue: EventQueue
    account_id: uuid.UUID

    def create(self, *titles: str) -> list[Task]:
        with self.engine.begin() as connection:
            return service.create(connection, self.account_id, [NewTask(TaskDraft(title=title)) for title in titles])

    def change(self, task: Task, title: str) -> Task:
        with self.engine.begin() as connection:
            patch = service.TaskPatch({"title": title})
            return service.update(connection, self.account_id, task.id, patch, expected_version=None)

    def delete(self, task: Task) -> None:
        with self.engine.begin() as connection:
            service.delete(connection, self.account_id, task.id, expected_version=None)

    def take_events(self) -> list[Outgoing]:
        """Takes what is in the outbox, oldest first."""
        with self.engine.begin() as connection:
            rows = outbox.take(connection, limit=100_000)
            outbox.remove(connection, [row.id for row in rows])
        return [Outgoing(str(row.id), orjson.dumps(row.message).decode()) for row in rows]

    def publish(self, messages: Sequence[Outgoing] | None = None) -> list[Outgoing]:
        """Sends the outbox, or these messages."""
        sent = self.take_events() if messages is None else list(messages)
        assert self.queue.send(sent) == {}
        return sent

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        with self.engine.begin() as connection:
            return list(connection.execute(text(query), parameters))

    def feed(self) -> list[Any]:
        return self.rows("SELECT * FROM activity ORDER BY occurred_at, event_id")


@pytest.fixture
def new_account(engine: Engine, clean_database: str) -> Callable[[], uuid.UUID]:
    def make() -> uuid.UUID:
        account_id = uuid.uuid4()
        with engine.begin() as connection:
            connection.execute(
                text("INSERT INTO accounts (id, email, password_hash) VALUES (:id, :email, 'none')"),
                {"id": account_id, "email": f"{account_id}@example.com"},
            )
        return account_id

    return make


@pytest.fixture
def world(engine: Engine, queue: EventQueue, new_account: Callable[[], uuid.UUID]) -> World:
    return World(engine, queue, new_account())


def drained(queue: EventQueue) -> bool:
    """Whether nothing waits in the queue and nothing is in work."""
    counts = queue.counts()
    return (counts.visible, counts.in_flight, counts.delayed) == (0, 0, 0)


def wait_drained(queue: EventQueue, *, deadline_seconds: float = 20.0) -> None:
    wait_for(lambda: drained(queue), deadline_seconds=deadline_seconds, message=f"{queue.name} was not emptied")


def delete_index(client: Elasticsearch, alias: str) -> None:
    """Deletes what is behind the alias, and so the alias."""
    for name in indices_behind(client, alias):
        client.indices.delete(index=name)


def documents(client: Elasticsearch, alias: str) -> dict[str, dict[str, Any]]:
    """Every task document, by id."""
    client.indices.refresh(index=alias)
    query = {"bool": {"must_not": [{"term": {"id": str(uuid.UUID(int=0))}}]}}
    hits = client.search(index=alias, size=1_000, query=query)["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}
