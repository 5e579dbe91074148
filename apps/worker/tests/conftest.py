"""Fixtures of the worker's tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine

from taskhub_core.database.engine import make_engine
from taskhub_core.jobs.registry import registry
from taskhub_core.settings import DatabaseSettings
from taskhub_local.testing import SqsQueueNames

sys.path.insert(0, str(Path(__file__).parent))  # worker_probes is loaded by its name, here and in the processes

from worker_harness import Jobs, Platform, Programs, Start, add_account, prepare, settings_for


@pytest.fixture(scope="session", autouse=True)
def _kinds() -> None:
    registry.load(["worker_probes"])


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(DatabaseSettings(database_url=database_url), application_name="test-worker")
    prepare(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def jobs(engine: Engine) -> Jobs:
    return Jobs(engine, add_account(engine))


@pytest.fixture(scope="module")
def platform(
    engine: Engine,
    database_url: str,
    redis_url: str,
    sqs_endpoint_url: str,
    sqs_queue_names: SqsQueueNames,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Platform]:
    """A dispatcher and a worker of two processes, for all tests of a module. Do not stop them."""
    prepare(engine)
    redis.Redis.from_url(redis_url).flushdb()
    environment = settings_for(
        database_url, redis_url, sqs_endpoint_url, sqs_queue_names.events, sqs_queue_names.dead_letter
    )
    programs = Programs(environment, tmp_path_factory.mktemp("platform"))
    platform = Platform(programs.start("dispatcher"), programs.start("worker"), sqs_queue_names.events)
    platform.dispatcher.wait_live()
    platform.worker.wait_live()
    yield platform
    programs.kill_all()


@pytest.fixture
def start(
    engine: Engine,
    database_url: str,
    clean_redis: str,
    sqs_endpoint_url: str,
    clean_queues: SqsQueueNames,
    tmp_path: Path,
) -> Iterator[Start]:
    """Starts `worker` or `dispatcher`, with further settings, on clean servers."""
    prepare(engine)
    environment = settings_for(
        database_url, clean_redis, sqs_endpoint_url, clean_queues.events, clean_queues.dead_letter
    )
    programs = Programs(environment, tmp_path)
    yield programs.start
    programs.kill_all()
