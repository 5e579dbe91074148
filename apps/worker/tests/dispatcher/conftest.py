"""Parts of the dispatcher, one at a time, in the test's own process."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from worker_harness import Jobs, add_account, prepare

from taskhub_local.testing import SqsQueueNames
from taskhub_worker.database import ConnectionWatch, watched_engine
from taskhub_worker.dispatcher.settings import DispatcherSettings


@pytest.fixture
def settings(
    engine: Engine, database_url: str, clean_redis: str, sqs_endpoint_url: str, clean_queues: SqsQueueNames
) -> DispatcherSettings:
    prepare(engine, accounts=True)
    return DispatcherSettings(
        database_url=database_url,
        redis_url=clean_redis,
        sqs_endpoint_url=sqs_endpoint_url,
        sqs_queue_name=clean_queues.events,
        sqs_dlq_name=clean_queues.dead_letter,
        lost_after_seconds=0.001,
        sqs_read_timeout_seconds=1.0,
    )


@pytest.fixture
def loop_engine(settings: DispatcherSettings) -> Iterator[Engine]:
    """An engine as the dispatcher's loops have it."""
    engine = watched_engine(settings, ConnectionWatch(), application_name="test-loop", limit_seconds=10)
    yield engine
    engine.dispose()


@pytest.fixture
def jobs(engine: Engine, settings: DispatcherSettings) -> Jobs:
    """Jobs of an account in an otherwise empty database."""
    return Jobs(engine, add_account(engine))
