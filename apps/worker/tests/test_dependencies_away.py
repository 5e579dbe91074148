"""PostgreSQL, Redis and SQS killed, frozen and wiped under a running platform: it stays live and mends itself."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import pytest
from redis import Redis
from sqlalchemy import Engine, text
from worker_harness import Jobs, Process, Programs, add_account, prepare, settings_for

from taskhub_core.database.engine import make_engine
from taskhub_core.database.migrate import upgrade
from taskhub_core.settings import BrokerSettings, DatabaseSettings
from taskhub_local.parts.base import Part, PartFolders
from taskhub_local.parts.postgres import PostgresPart
from taskhub_local.parts.redis import RedisPart
from taskhub_local.parts.sqs import CREDENTIALS, DEAD_LETTER_QUEUE, QUEUE, SqsPart
from taskhub_local.ports import any_free
from taskhub_local.testing import wait_for
from taskhub_worker.dispatcher.broker import BrokerView

FROZEN_SECONDS = 5.0
"""Longer than the lease (3 s) and than every network timeout."""


@dataclass
class Own:
    """A platform whose servers may be harmed."""

    postgres: PostgresPart
    redis: RedisPart
    sqs: SqsPart
    engine: Engine
    dispatcher: Process
    worker: Process

    def assert_live(self) -> None:
        for process in (self.dispatcher, self.worker):
            assert process.child is not None
            assert process.child.poll() is None, "the process ended"
            assert process.get("/livez")[0] == 200

    def jobs(self) -> Jobs:
        return Jobs(self.engine, add_account(self.engine))

    def wait_worked(self, jobs: Jobs, count: int) -> None:
        def done() -> bool:
            with self.engine.connect() as connection:
                states = connection.execute(
                    text("SELECT state, count(*) FROM jobs WHERE account_id = :id GROUP BY 1"), {"id": jobs.account_id}
                )
                return dict(states.all()) == {"succeeded": count}

        wait_for(done, deadline_seconds=60, message=f"not all of {count} jobs succeeded")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    folders = PartFolders(tmp_path_factory.mktemp("own"))
    postgres, redis, sqs = (
        PostgresPart(folders, any_free()),
        RedisPart(folders, any_free()),
        SqsPart(folders, any_free()),
    )
    parts: tuple[Part, ...] = (postgres, redis, sqs)
    for part in parts:
        part.start()
    for part in parts:
        part.wait_ready()
    upgrade(postgres.url)
    engine = make_engine(DatabaseSettings(database_url=postgres.url), application_name="test-away")
    prepare(engine)
    environment = settings_for(postgres.url, redis.url, sqs.url, QUEUE, DEAD_LETTER_QUEUE) | CREDENTIALS
    programs = Programs(environment, tmp_path_factory.mktemp("programs"))
    platform = Own(postgres, redis, sqs, engine, programs.start("dispatcher"), programs.start("worker"))
    platform.dispatcher.wait_live()
    platform.worker.wait_live()
    yield platform
    programs.kill_all()
    engine.dispose()
    for part in parts:
        part.stop()


@contextmanager
def frozen(part: Part) -> Iterator[None]:
    """The part and all its children, stopped in the middle of whatever they do."""
    assert part.pid is not None
    root = psutil.Process(part.pid)
    processes = [root, *root.children(recursive=True)]
    for process in processes:
        process.suspend()
    yield
    for process in processes:
        process.resume()


def _live_for(own: Own, seconds: float) -> None:
    """Both processes answer /livez the whole time."""
    checks = iter(range(int(seconds / 0.02)))

    def live_until_the_end() -> bool:
        own.assert_live()
        return next(checks, None) is None

    wait_for(live_until_the_end, deadline_seconds=seconds * 4)


def test_redis_wiped_with_jobs_queued_loses_none(own: Own) -> None:
    jobs = own.jobs()
    own.worker.signal(signal.SIGSTOP)  # so that the jobs are in Redis when it is wiped
    ids = jobs.submit("probe.note", count=40)
    # Marked is not enough: a job is marked before it is published.
    wait_for(lambda: _in_redis(own.redis) == 40, message="the jobs did not reach Redis")
    own.redis.kill(signal.SIGKILL)
    shutil.rmtree(own.redis.folders.data(own.redis.name))
    own.redis.restart()
    own.worker.signal(signal.SIGCONT)
    own.wait_worked(jobs, 40)
    assert all(jobs.notes(job_id) == ["done"] for job_id in ids)
    assert own.dispatcher.metric('taskhub_jobs_republished_total{reason="wiped"}') == 40
    own.assert_live()


def test_jobs_are_accepted_while_redis_is_frozen_and_run_when_it_thaws(own: Own) -> None:
    jobs = own.jobs()
    with frozen(own.redis):
        jobs.submit("probe.note", count=10)
        _live_for(own, FROZEN_SECONDS)
    own.wait_worked(jobs, 10)


def test_jobs_wait_while_redis_is_full_and_run_when_it_has_memory(own: Own) -> None:
    jobs = own.jobs()
    own.worker.signal(signal.SIGSTOP)  # so that it takes jobs from a Redis that cannot note who has them
    jobs.submit("probe.note", count=10)
    wait_for(lambda: _in_redis(own.redis) == 10, message="the jobs did not reach Redis")
    with Redis.from_url(own.redis.url) as client:
        client.config_set("maxmemory", 1)
        own.worker.signal(signal.SIGCONT)
        jobs.submit("probe.note", count=10)
        _live_for(own, FROZEN_SECONDS)
        client.config_set("maxmemory", 0)
    own.wait_worked(jobs, 20)


def test_a_running_job_survives_redis(own: Own) -> None:
    jobs = own.jobs()
    (job_id,) = jobs.submit("probe.sleep", seconds=3)
    jobs.process_of(job_id)
    own.redis.kill(signal.SIGKILL)
    own.redis.restart()
    own.wait_worked(jobs, 1)
    assert (jobs.get(job_id).attempt, jobs.notes(job_id)) == (1, ["began", "finished"])


def test_postgresql_killed_and_restarted(own: Own) -> None:
    jobs = own.jobs()
    ids = jobs.submit("probe.note", count=30)
    (running,) = jobs.submit("probe.steps", seconds=2)
    jobs.process_of(running, "step 1")
    own.postgres.kill(signal.SIGKILL)
    own.postgres.restart(30)
    own.engine.dispose()
    own.wait_worked(jobs, 31)
    assert all(jobs.notes(job_id) == ["done"] for job_id in ids)
    assert sorted(jobs.notes(running)) == sorted(f"step {number}" for number in range(10))
    own.assert_live()


def test_postgresql_frozen_longer_than_the_lease(own: Own) -> None:
    jobs = own.jobs()
    (running,) = jobs.submit("probe.steps", seconds=3)
    jobs.process_of(running, "step 1")
    with frozen(own.postgres):
        _live_for(own, FROZEN_SECONDS)
    own.wait_worked(jobs, 1)
    assert sorted(jobs.notes(running)) == sorted(f"step {number}" for number in range(10))
    fresh = jobs.submit("probe.note", count=5)
    own.wait_worked(jobs, 6)
    assert all(jobs.notes(job_id) == ["done"] for job_id in fresh)


def test_sqs_frozen_and_killed_does_not_touch_jobs_and_loses_no_event(own: Own) -> None:
    jobs = own.jobs()
    with frozen(own.sqs):
        jobs.submit("probe.note", count=10)
        own.wait_worked(jobs, 10)
        _live_for(own, 2.0)
    own.sqs.kill(signal.SIGKILL)
    jobs.submit("probe.note", count=10)
    own.wait_worked(jobs, 20)
    own.sqs.restart()
    wait_for(lambda: _outbox(own.engine) == 0, deadline_seconds=30, message="events stayed in the outbox")
    own.assert_live()


def _in_redis(server: RedisPart) -> int:
    """Job ids in messages: in the queue, or taken by the worker that is stopped."""
    view = BrokerView(BrokerSettings.model_validate({"redis_url": server.url}))
    contents = view.contents()
    view.close()
    return 0 if contents is None else len(contents.queued | contents.delivered)


def _outbox(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM outbox")).scalar_one())
