"""(c) Events to the search index: documents a second of the whole consumer, against elasticsearch.helpers.bulk."""

import os
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
from elasticsearch import Elasticsearch, helpers
from elasticsearch.serializer import OrjsonSerializer
from sqlalchemy import create_engine, make_url

from taskhub_core.events import outbox
from taskhub_core.events.queue import EventQueue, Outgoing, make_sqs_client
from taskhub_core.events.schema import Event
from taskhub_core.search.document import from_event
from taskhub_core.search.index import create_index, new_index_name, swap_alias
from taskhub_core.tasks import service
from taskhub_core.tasks.formats import TaskDraft
from taskhub_core.tasks.service import NewTask
from taskhub_core.telemetry import logs
from taskhub_local.parts.sqs import CREDENTIALS
from taskhub_sqs_consumer.consumer import Consumer
from taskhub_sqs_consumer.settings import ConsumerSettings
from tests.bench.memory_queue import MemoryQueue
from tests.bench.platform import Servers

_ALIAS = "bench-tasks"


@dataclass(frozen=True, slots=True)
class Indexed:
    """Documents a second: the median of the rounds."""

    way: str
    per_second: float
    of_bulk: float
    """As a part of what helpers.bulk alone did in the same round: the median again."""


class _Bench:
    """The same events for everybody, and a new index every time."""

    def __init__(self, platform: Servers, elasticsearch_url: str, count: int) -> None:
        env = platform.environment("bench_index", 7)
        os.environ.update(CREDENTIALS)  # where boto3 looks for them
        self._url = env["TASKHUB_DATABASE_URL"]
        self._settings = ConsumerSettings.model_validate(
            {
                "database_url": self._url,
                "sqs_endpoint_url": env["TASKHUB_SQS_ENDPOINT_URL"],
                "elasticsearch_url": elasticsearch_url,
                "search_alias": _ALIAS,
                "metrics_host": "127.0.0.1",
                "metrics_port": 0,
                "log_level": "warning",
                "consumer_wait_seconds": 1,
            }
        )
        logs.configure(self._settings, service="bench")
        self._client = Elasticsearch(elasticsearch_url, serializer=OrjsonSerializer(), request_timeout=60)
        self._events = _events(self._url, count)
        self.bodies = [orjson.dumps(event).decode() for event in self._events]

    @contextmanager
    def index(self) -> Iterator[str]:
        """An empty index behind the alias, gone afterwards."""
        name = new_index_name(_ALIAS)
        create_index(self._client, name)
        swap_alias(self._client, _ALIAS, to=name)
        yield name
        self._client.indices.refresh(index=name)
        found = self._client.count(index=name, query={"term": {"deleted": False}})["count"]
        assert found == len(self._events), f"{found} of {len(self._events)} documents are in the index"
        self._client.indices.delete(index=name)

    def bulk_alone(self) -> float:
        """The documents as they are, in the client's own helper with its defaults."""
        with self.index() as name:
            documents = [
                {"_index": name, "_id": str(document.task_id), "_source": document.source}
                for document in map(from_event, map(Event.model_validate, self._events))
                if document is not None
            ]
            started = time.perf_counter()
            helpers.bulk(self._client, documents)
            return len(documents) / (time.perf_counter() - started)

    def from_memory(self) -> float:
        """The consumer, with an SQS that costs nothing: from the first message to the last deletion."""
        queue = MemoryQueue()
        with self._consumer(lambda _settings, **_: queue):
            _until(lambda: queue.polled)
            started = time.perf_counter()
            queue.put(self.bodies)
            _until(lambda: queue.deleted == len(self.bodies))
            return len(self.bodies) / (time.perf_counter() - started)

    def from_sqs(self) -> float:
        """The consumer, with a real client of moto's server; the messages wait there when it starts."""
        queue = EventQueue(make_sqs_client(self._settings), self._settings.sqs_queue_name)
        queue.send([Outgoing(str(number), body) for number, body in enumerate(self.bodies)])
        with self._consumer(make_sqs_client):
            _until(lambda: queue.counts().in_flight > 0)
            started = time.perf_counter()
            _until(lambda: (counts := queue.counts()).visible + counts.in_flight == 0)
            return len(self.bodies) / (time.perf_counter() - started)

    @contextmanager
    def _consumer(self, clients: Any) -> Iterator[None]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("TRUNCATE activity")
        with self.index():
            consumer = Consumer(self._settings, sqs_client=clients)
            consumer.start()
            try:
                yield
            finally:
                consumer.stop()


def _until(done: Callable[[], bool], *, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError("the consumer did not get on")
        time.sleep(0.005)


def _events(url: str, count: int) -> list[dict[str, Any]]:
    """Events as they lie in the outbox after tasks were created."""
    account = uuid.uuid4()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO accounts (id, email, password_hash) VALUES (%s, 'index@example.com', '!')", (account,)
        )
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    words = [
        "Rotate",
        "the",
        "signing",
        "keys",
        "before",
        "the",
        "certificate",
        "of",
        "the",
        "staging",
        "cluster",
        "expires",
    ]
    for start in range(0, count, 500):
        drafts = [
            TaskDraft(
                title=f"{words[number % 12]} {words[number % 7]} {number}",
                notes=" ".join(words[number % 5 :]) * 3,
                tags=("ops", words[number % 11].lower()),
            )
            for number in range(start, min(start + 500, count))
        ]
        with engine.begin() as connection:
            service.create(connection, account, [NewTask(draft) for draft in drafts])
    with engine.begin() as connection:
        events = [row.message for row in outbox.take(connection, limit=count)]
    engine.dispose()
    return events


def measure(platform: Servers, elasticsearch_url: str, *, count: int, rounds: int, sqs_count: int) -> list[Indexed]:
    """Each way in turn, several rounds; the way through moto once, with fewer events."""
    bench = _Bench(platform, elasticsearch_url, count)
    ways = {"helpers.bulk alone": bench.bulk_alone, "TaskHub, SQS in memory": bench.from_memory}
    bench.bulk_alone()  # Elasticsearch's first documents are slow
    taken = [[run() for run in ways.values()] for _ in range(rounds)]
    found = [
        Indexed(
            way,
            statistics.median(one[number] for one in taken),
            statistics.median(one[number] / one[0] for one in taken),
        )
        for number, way in enumerate(ways)
    ]
    small = _Bench(platform, elasticsearch_url, sqs_count)
    per_second = small.from_sqs()
    return [*found, Indexed("TaskHub, SQS by moto", per_second, per_second / found[0].per_second)]
