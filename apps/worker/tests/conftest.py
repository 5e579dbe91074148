"""Fixtures of the worker's tests."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from taskhub_core.database.engine import make_engine
from taskhub_core.ids import new_id
from taskhub_core.jobs.registry import registry
from taskhub_core.settings import DatabaseSettings
from taskhub_local.ports import any_free
from taskhub_local.testing import SqsQueueNames

_HERE = str(Path(__file__).parent)
sys.path.insert(0, _HERE)  # worker_probes is loaded by its name, here and in the processes

from worker_harness import Jobs, Process, Start  # noqa: E402

_PROBE_TABLE = """
    CREATE TABLE IF NOT EXISTS probe_notes (
        job_id uuid NOT NULL,
        note text NOT NULL,
        process int NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""


@pytest.fixture(scope="session", autouse=True)
def _kinds() -> None:
    registry.load(["worker_probes"])


@pytest.fixture
def engine(clean_database: str) -> Iterator[Engine]:
    engine = make_engine(DatabaseSettings(database_url=clean_database), application_name="test-worker")
    with engine.begin() as connection:
        connection.execute(text(_PROBE_TABLE))
    yield engine
    engine.dispose()


@pytest.fixture
def jobs(engine: Engine) -> Jobs:
    account_id = new_id()
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO accounts (id, email, password_hash) VALUES (:id, :email, 'x')"),
            {"id": account_id, "email": f"{account_id}@example.com"},
        )
    return Jobs(engine, account_id)


@pytest.fixture
def platform_environment(
    engine: Engine, clean_database: str, clean_redis: str, sqs_endpoint_url: str, clean_queues: SqsQueueNames
) -> dict[str, str]:
    """Settings of both programs: the shared servers, and leases short enough for tests."""
    return {
        **os.environ,
        "PYTHONPATH": _HERE,
        "TASKHUB_DATABASE_URL": clean_database,
        "TASKHUB_REDIS_URL": clean_redis,
        "TASKHUB_SQS_ENDPOINT_URL": sqs_endpoint_url,
        "TASKHUB_SQS_QUEUE_NAME": clean_queues.events,
        "TASKHUB_SQS_DLQ_NAME": clean_queues.dead_letter,
        "TASKHUB_METRICS_HOST": "127.0.0.1",
        "TASKHUB_JOB_KIND_MODULES": '["worker_probes"]',
        "TASKHUB_LEASE_SECONDS": "3",
        "TASKHUB_LEASE_RENEW_SECONDS": "0.5",
        "TASKHUB_LEASE_MARGIN_SECONDS": "1",
        "TASKHUB_SHUTDOWN_GRACE_SECONDS": "2",
        "TASKHUB_SOFT_SHUTDOWN_SECONDS": "8",
    }


@pytest.fixture
def start(platform_environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts `worker` or `dispatcher`, with further settings; whatever still runs is killed after the test."""
    processes: list[Process] = []

    def begin(program: str, **settings: object) -> Process:
        port = any_free()
        extra = {f"TASKHUB_{name.upper()}": str(value) for name, value in settings.items()}
        environment = {**platform_environment, "TASKHUB_METRICS_PORT": str(port), **extra}
        output = tmp_path / f"{program}-{len(processes)}.log"
        module = f"taskhub_worker.{program}"
        process = Process([sys.executable, "-m", module], environment, output, port)
        process.start()
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
