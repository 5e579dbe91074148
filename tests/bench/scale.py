"""What a long queue and a deep page cost: claims a second with more and more jobs waiting, list pages at depth."""

import statistics
import time
import uuid
from dataclasses import dataclass

import psycopg
from sqlalchemy import create_engine, make_url

from taskhub_core.jobs import dispatch, lease
from taskhub_core.jobs.lease import Completion
from taskhub_core.jobs.registry import registry
from taskhub_core.tasks.listing import Sort, list_tasks
from tests.bench.platform import Servers

BATCH = 500


@dataclass(frozen=True, slots=True)
class Depth:
    """A measurement at one size."""

    size: int
    per_second: float


def queue_depths(platform: Servers, sizes: tuple[int, ...], *, cycles: int) -> list[Depth]:
    """Jobs a second through mark, claim and complete by one connection, with that many waiting and as many finished."""
    env = platform.environment("bench_scale", 5)
    url = env["TASKHUB_DATABASE_URL"]
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    kinds = registry.load(("tests.bench.kinds",))
    account = uuid.uuid4()
    found = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO accounts (id, email, password_hash) VALUES (%s, 'scale@example.com', '!')", (account,)
        )
        waiting = 0
        for size in sizes:
            for state, finished in (("queued", "NULL"), ("succeeded", "now()")):
                connection.execute(
                    f"""
                    INSERT INTO jobs (id, account_id, kind, state, run_at, args, fingerprint, max_attempts, finished_at)
                    SELECT gen_random_uuid(), %s, 'bench.noop', %s, now(), '{{}}', '', 5, {finished}
                    FROM generate_series(1, %s)
                    """,
                    (account, state, size - waiting),
                )
            connection.execute("VACUUM ANALYZE jobs")
            rates = []
            for _ in range(cycles):
                started = time.perf_counter()
                with engine.begin() as transaction:
                    marked = dispatch.mark_for_dispatch(transaction, kinds, window=BATCH)
                with engine.begin() as transaction:
                    ids = [job.job_id for job in marked]
                    claimed = lease.claim(transaction, ids, worker="bench", lease_seconds=60)
                with engine.begin() as transaction:
                    lease.complete(transaction, [Completion(job.fence) for job in claimed])
                rates.append(len(claimed) / (time.perf_counter() - started))
            waiting = size - cycles * BATCH
            found.append(Depth(size, statistics.median(rates)))
    engine.dispose()
    return found


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
