"""What a long queue and a deep page cost: claims a second with more and more jobs waiting, list pages at depth."""

import statistics
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from pydantic import AnyUrl
from sqlalchemy import create_engine, make_url

from taskhub_core.database.engine import make_engine
from taskhub_core.jobs import dispatch, lease
from taskhub_core.jobs.lease import Completion
from taskhub_core.jobs.registry import registry
from taskhub_core.settings import DatabaseSettings
from taskhub_core.tasks.listing import Sort, list_tasks
from tests.bench.platform import Servers

BATCH = 500
WARM_UP = 8
"""Cycles that do not count: PostgreSQL settles for its plans after a few uses of a statement."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many jobs a table holds."""

    waiting: int
    finished: int


@dataclass(frozen=True, slots=True)
class Throughput:
    """Jobs a second through mark, claim and complete by one connection: the median."""

    shape: Shape
    per_second: float


@dataclass(frozen=True, slots=True)
class Depth:
    """A measurement at one size."""

    size: int
    per_second: float


_FILL = """
    INSERT INTO jobs (id, account_id, kind, state, run_at, args, fingerprint, max_attempts, started_at, finished_at)
    SELECT gen_random_uuid(), %(account)s, 'bench.noop', %(state)s, now(), '{}', '', 5, %(ended)s, %(ended)s
    FROM generate_series(1, %(count)s)
"""


class _Queue:
    """A database with a table of jobs of one shape."""

    def __init__(self, platform: Servers, number: int, shape: Shape) -> None:
        url = platform.environment(f"bench_scale_{number}", 5)["TASKHUB_DATABASE_URL"]
        self.shape = shape
        self._kinds = registry.load(("tests.bench.kinds",))
        self._engine = make_engine(DatabaseSettings(database_url=AnyUrl(url)), application_name="bench")
        self._account = uuid.uuid4()
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(
            "INSERT INTO accounts (id, email, password_hash) VALUES (%s, 'scale@example.com', '!')", (self._account,)
        )
        self._fill("succeeded", shape.finished, ended=datetime.now(UTC))
        self._fill("queued", shape.waiting)
        self._connection.execute("VACUUM ANALYZE jobs")

    def _fill(self, state: str, count: int, ended: datetime | None = None) -> None:
        values = {"account": self._account, "state": state, "count": count, "ended": ended}
        self._connection.execute(_FILL, values)

    def cycle(self) -> float:
        """Takes some jobs through, and puts as many new ones in their place; the jobs a second."""
        started = time.perf_counter()
        with self._engine.begin() as transaction:
            marked = dispatch.mark_for_dispatch(transaction, self._kinds, window=BATCH)
            dispatch.more_waiting(transaction, self._kinds)
        with self._engine.begin() as transaction:
            ids = [job.job_id for job in marked]
            claimed = lease.claim(transaction, ids, worker="bench", lease_seconds=60)
        with self._engine.begin() as transaction:
            ended = lease.complete(transaction, [Completion(job.fence) for job in claimed])
        seconds = time.perf_counter() - started
        self._fill("queued", BATCH)
        return len(ended) / seconds

    def close(self) -> None:
        """Closes its connections."""
        self._connection.close()
        self._engine.dispose()


def queue_depths(platform: Servers, shapes: Sequence[Shape], *, cycles: int) -> list[Throughput]:
    """Measures every shape in turn, again and again, so that a busy minute of the machine hits them all."""
    queues = [_Queue(platform, number, shape) for number, shape in enumerate(shapes)]
    rates: list[list[float]] = [[] for _ in queues]
    for number in range(cycles + WARM_UP):
        for queue, taken in zip(queues, rates, strict=True):
            rate = queue.cycle()
            if number >= WARM_UP:
                taken.append(rate)
    for queue in queues:
        queue.close()
    return [Throughput(queue.shape, statistics.median(taken)) for queue, taken in zip(queues, rates, strict=True)]


def page_depths(platform: Servers, *, tasks: int, page: int = 100) -> list[Depth]:
    """Pages a second at the beginning, in the middle and at the end of one account's list."""
    env = platform.environment("bench_pages", 5)
    url = env["TASKHUB_DATABASE_URL"]
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    account = uuid.uuid4()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO accounts (id, email, password_hash) VALUES (%s, 'pages@example.com', '!')", (account,)
        )
        connection.execute(
            """
            INSERT INTO tasks (id, account_id, title, priority, created_at, updated_at)
            SELECT gen_random_uuid(), %s, 'Task ' || i, i %% 5, now(), now() FROM generate_series(1, %s) AS i
            """,
            (account, tasks),
        )
        connection.execute("VACUUM ANALYZE tasks")
    found = []
    with engine.connect() as connection_:
        cursor, last = None, tasks // page - 1
        for number in range(tasks // page):
            started = time.perf_counter()
            listed = list_tasks(connection_, account, sort=Sort.PRIORITY, limit=page, cursor=cursor)
            seconds = time.perf_counter() - started
            cursor = listed.next_cursor
            if number in {1, last // 2, last}:
                found.append(Depth((number + 1) * page, 1 / seconds))
    engine.dispose()
    return found
