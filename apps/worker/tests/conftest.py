"""Real worker and dispatcher processes for tests, and what tests ask PostgreSQL about their jobs."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from taskhub_local.ports import any_free
from taskhub_local.testing import SqsQueueNames, wait_for

sys.path.insert(0, str(Path(__file__).parent))  # probe_kinds is loaded by name, here and in the processes

from taskhub_core.database.engine import make_engine
from taskhub_core.ids import new_id
from taskhub_core.jobs import service
from taskhub_core.jobs.registry import registry
from taskhub_core.jobs.service import Job
from taskhub_core.jobs.submit import NewJob, submit
from taskhub_core.settings import DatabaseSettings

_PROBE_TABLE = """
    CREATE TABLE IF NOT EXISTS probe_notes (
        job_id uuid NOT NULL, note text NOT NULL, process int NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""


@pytest.fixture(scope="session", autouse=True)
def _kinds() -> None:
    registry.load(["probe_kinds"])


@pytest.fixture
def engine(clean_database: str) -> Iterator[Engine]:
    engine = make_engine(DatabaseSettings(database_url=clean_database), application_name="test-worker")
    with engine.begin() as connection:
        connection.execute(text(_PROBE_TABLE))
    yield engine
    engine.dispose()


@dataclass
class Jobs:
    """What tests do with jobs, over SQL."""

    engine: Engine
    account_id: uuid.UUID

    def submit(self, kind: str, /, *, count: int = 1, priority: int = 5, **args: Any) -> list[uuid.UUID]:
        jobs = [NewJob(account_id=self.account_id, kind=kind, args=args, priority=priority) for _ in range(count)]
        with self.engine.begin() as connection:
            submit(connection, jobs)
        return [job.id for job in jobs]

    def get(self, job_id: uuid.UUID) -> Job:
        with self.engine.connect() as connection:
            return service.get(connection, job_id, account_id=None)

    def count(self, state: str) -> int:
        with self.engine.connect() as connection:
            return int(
                connection.execute(text("SELECT count(*) FROM jobs WHERE state = :state"), {"state": state}).scalar_one()
            )

    def notes(self, job_id: uuid.UUID) -> list[str]:
        with self.engine.connect() as connection:
            rows = connection.execute(text("SELECT note FROM probe_notes WHERE job_id = :id ORDER BY at"), {"id": job_id})
            return list(rows.scalars())

    def process_of(self, job_id: uuid.UUID, note: str = "began") -> int:
        """The process that left the note first, once it has."""
        query = text("SELECT process FROM probe_notes WHERE job_id = :id AND note = :note ORDER BY at LIMIT 1")

        def look() -> int | None:
            with self.engine.connect() as connection:
                found: int | None = connection.execute(query, {"id": job_id, "note": note}).scalar()
                return found

        found = wait_for(look, deadline_seconds=20, message=f"job {job_id} never left the note {note!r}")
        assert found is not None
        return found

    def wait(self, job_id: uuid.UUID, state: str, *, seconds: float = 20) -> Job:
        def reached() -> Job | None:
            job = self.get(job_id)
            return job if job.state == state else None

        job = wait_for(reached, deadline_seconds=seconds, message=f"job {job_id} did not become {state}")
        assert job is not None
        return job

    def outcomes(self, job_id: uuid.UUID) -> list[str]:
        with self.engine.connect() as connection:
            return [attempt.outcome for attempt in service.attempts(connection, job_id)]


@pytest.fixture
def jobs(engine: Engine) -> Jobs:
    account_id = new_id()
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO accounts (id, email, password_hash) VALUES (:id, :email, 'x')"),
            {"id": account_id, "email": f"{account_id}@example.com"},
        )
    return Jobs(engine, account_id)


@dataclass
class Process:
    """One of TaskHub's programs, as a child of the test."""

    command: Sequence[str]
    environment: Mapping[str, str]
    output: Path
    metrics_port: int
    child: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.child = subprocess.Popen(
                self.command, env=dict(self.environment), stdout=output, stderr=output, start_new_session=True
            )

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self, *, seconds: float = 30) -> int:
        """SIGTERM, and the exit status."""
        assert self.child is not None
        if self.child.poll() is None:
            self.child.terminate()
        return self.child.wait(seconds)

    def kill(self) -> None:
        """SIGKILL to it and all its children."""
        assert self.child is not None
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait(10)

    def lines(self) -> list[dict[str, Any]]:
        """Its log so far. Fails on a line that is not JSON."""
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["event"] == event]


type Start = Callable[..., Process]


@pytest.fixture
def platform_environment(
    engine: Engine, clean_database: str, clean_redis: str, sqs_endpoint_url: str, clean_queues: SqsQueueNames
) -> dict[str, str]:
    """Settings of both programs: the shared servers, and leases short enough for tests."""
    return {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),
        "TASKHUB_DATABASE_URL": clean_database,
        "TASKHUB_REDIS_URL": clean_redis,
        "TASKHUB_SQS_ENDPOINT_URL": sqs_endpoint_url,
        "TASKHUB_SQS_QUEUE_NAME": clean_queues.events,
        "TASKHUB_SQS_DLQ_NAME": clean_queues.dead_letter,
        "TASKHUB_METRICS_HOST": "127.0.0.1",
        "TASKHUB_JOB_KIND_MODULES": '["probe_kinds"]',
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
