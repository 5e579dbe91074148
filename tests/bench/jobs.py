"""(a) Jobs a second, end to end, with thousands waiting; and how long one job takes when none waits."""

import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from sqlalchemy import create_engine, make_url

from taskhub_core.jobs.registry import registry
from taskhub_core.jobs.submit import NewJob, submit
from tests.bench import servers
from tests.bench.platform import Servers

PROCESSES = 2
"""Worker processes of every peer: as many as the machine has cores."""

_WARM_UP = 1_000
_PEERS = {
    "bench.noop": "TaskHub, a batched kind",
    "bench.single": "TaskHub, a kind that declares nothing: claimed and committed one by one",
}


@dataclass(frozen=True, slots=True)
class Rate:
    """Jobs a second of one peer, and what its processes used."""

    peer: str
    per_second: float
    memory_mib: float


def account(url: str) -> uuid.UUID:
    """A new account's id."""
    account = uuid.uuid4()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO accounts (id, email, password_hash) VALUES (%s, %s, '!')", (account, f"{account}@example.com")
        )
    return account


def submit_many(url: str, account: uuid.UUID, count: int, kind: str) -> None:
    """Commits that many jobs, a thousand at a time."""
    registry.load(("tests.bench.kinds",))
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    for start in range(0, count, 1_000):
        jobs = [NewJob(account_id=account, kind=kind, args={}) for _ in range(min(1_000, count - start))]
        with engine.begin() as connection:
            submit(connection, jobs)
    engine.dispose()


def running_worker(env: dict[str, str], logs: Path) -> AbstractContextManager[servers.Measured]:
    """A worker, for the time of the block."""
    worker_env = {**env, "TASKHUB_WORKER_PROCESSES": str(PROCESSES), "TASKHUB_LOG_LEVEL": "warning"}
    return servers.running([str(servers.BIN / "taskhub-worker")], env=worker_env, log=logs / "worker.log")


@contextmanager
def running_platform(env: dict[str, str], logs: Path) -> Iterator[list[servers.Measured]]:
    """A worker and a dispatcher."""
    dispatcher = [str(servers.BIN / "taskhub-dispatcher")]
    sender_env = {**env, "TASKHUB_LOG_LEVEL": "warning"}
    with (
        running_worker(env, logs) as worker,
        servers.running(dispatcher, env=sender_env, log=logs / "dispatcher.log") as sender,
    ):
        yield [worker, sender]


def _until(done: Callable[[], bool], *, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)


def taskhub(platform: Servers, *, count: int, kind: str = "bench.noop") -> Rate:
    """From the first claim to the last commit, by PostgreSQL's clock, after a thousand jobs that do not count."""
    env = platform.environment("bench_jobs", 1)
    url = env["TASKHUB_DATABASE_URL"]
    owner = account(url)
    with running_platform(env, platform.logs) as processes, psycopg.connect(url, autocommit=True) as connection:

        def done() -> int:
            row = connection.execute("SELECT count(*) FROM jobs WHERE state = 'succeeded'").fetchone()
            assert row is not None
            return int(row[0])

        submit_many(url, owner, _WARM_UP, kind)
        _until(lambda: done() == _WARM_UP, seconds=120, what="TaskHub's first jobs did not end")
        submit_many(url, owner, count, kind)
        _until(lambda: done() == _WARM_UP + count, seconds=240, what="TaskHub's jobs did not end")
        memory = sum(process.memory_mib() for process in processes)
        row = connection.execute(
            "SELECT EXTRACT(epoch FROM max(finished_at) - min(started_at))::float8 FROM"
            " (SELECT started_at, finished_at FROM jobs ORDER BY created_at DESC LIMIT %s) AS last",
            (count,),
        ).fetchone()
    assert row is not None
    return Rate(_PEERS[kind], count / row[0], memory)


def lone_job_ms(platform: Servers, *, count: int) -> list[float]:
    """Milliseconds from a job's commit to the commit of its end, one job at a time, by PostgreSQL's clock."""
    env = platform.environment("bench_latency", 2)
    url = env["TASKHUB_DATABASE_URL"]
    owner = account(url)
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    taken = []
    with running_platform(env, platform.logs), psycopg.connect(url, autocommit=True) as connection:
        for _ in range(count):
            job = NewJob(account_id=owner, kind="bench.noop", args={})
            with engine.begin() as submitting:
                submit(submitting, [job])

            def ended(job_id: uuid.UUID = job.id) -> bool:
                return bool(
                    connection.execute("SELECT 1 FROM jobs WHERE id = %s AND state = 'succeeded'", (job_id,)).fetchone()
                )

            _until(ended, seconds=60, what="a lone job did not end")
            row = connection.execute(
                "SELECT EXTRACT(epoch FROM finished_at - created_at)::float8 FROM jobs WHERE id = %s", (job.id,)
            ).fetchone()
            assert row is not None
            taken.append(row[0] * 1_000)
    engine.dispose()
    return taken[count // 10 :]  # the first ones open connections


def plain_celery(platform: Servers, *, count: int, commits: bool) -> Rate:
    """From the first message taken to the last one done."""
    env = platform.environment("bench_celery", 3)
    client = redis.Redis.from_url(env["BENCH_REDIS"])
    client.flushdb()
    with psycopg.connect(env["BENCH_DATABASE"], autocommit=True) as connection:
        connection.execute("CREATE TABLE bench_effects (id uuid PRIMARY KEY)")
    _publish(env, count, commits=commits)
    command = [
        str(servers.BIN / "celery"), "-A", "tests.bench.peers.plain_celery", "worker", "--concurrency", str(PROCESSES),
        "--loglevel", "WARNING", "--without-gossip", "--without-mingle",
    ]  # fmt: skip
    root = servers.HERE.parent.parent
    with servers.running(command, env=env, log=platform.logs / "celery.log", cwd=root) as worker:
        _until(lambda: client.llen("celery") < count, seconds=180, what="Celery did not begin")
        started = time.monotonic()
        _until(lambda: client.llen("celery") + client.hlen("unacked") == 0, seconds=300, what="Celery did not end")
        seconds = time.monotonic() - started
        memory = worker.memory_mib()
    return Rate("Celery, one row committed a task" if commits else "Celery, no-op", count / seconds, memory)


def _publish(env: dict[str, str], count: int, *, commits: bool) -> None:
    import os

    os.environ.update(BENCH_REDIS=env["BENCH_REDIS"], BENCH_DATABASE=env["BENCH_DATABASE"])
    from tests.bench.peers import plain_celery

    plain_celery.app.conf.broker_url = env["BENCH_REDIS"]
    with plain_celery.app.connection_for_write() as connection, connection.Producer() as producer:
        for _ in range(count):
            if commits:
                plain_celery.commit_row.apply_async((str(uuid.uuid4()),), producer=producer)
            else:
                plain_celery.noop.apply_async(producer=producer)


def procrastinate(platform: Servers, *, count: int) -> Rate:
    """From the first job fetched to the last one done, on the same PostgreSQL."""
    env = platform.environment("bench_procrastinate", 4)
    root = servers.HERE.parent.parent
    url = env["BENCH_DATABASE"]
    command = [str(servers.BIN / "procrastinate"), "--app", "tests.bench.peers.procrastinate_app.app"]
    with servers.running([*command, "schema", "--apply"], env=env, log=platform.logs / "pro.log", cwd=root) as schema:
        schema.process.wait(60)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args) "
            "SELECT 'default', 'tests.bench.peers.procrastinate_app.noop', '{}' FROM generate_series(1, %s)",
            (count,),
        )

        def done() -> int:
            row = connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'").fetchone()
            assert row is not None
            return int(row[0])

        worker = [*command, "worker", "--concurrency", "10"]
        # Two processes, as for the others.
        with (
            servers.running(worker, env=env, log=platform.logs / "pro1.log", cwd=root) as first,
            servers.running(worker, env=env, log=platform.logs / "pro2.log", cwd=root) as second,
        ):
            _until(lambda: done() > 0, seconds=180, what="procrastinate did not begin")
            started, before = time.monotonic(), done()
            _until(lambda: done() == count, seconds=240, what="procrastinate did not end")
            seconds = time.monotonic() - started
            memory = first.memory_mib() + second.memory_mib()
    return Rate("procrastinate, no-op", (count - before) / seconds, memory)


def median(rates: list[Rate]) -> Rate:
    """The median of several runs of one peer."""
    return Rate(
        rates[0].peer,
        statistics.median(rate.per_second for rate in rates),
        statistics.median(rate.memory_mib for rate in rates),
    )
