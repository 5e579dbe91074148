"""What the worker's tests work with: jobs over SQL, and real worker and dispatcher processes."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from taskhub_core.ids import new_id
from taskhub_core.jobs import service
from taskhub_core.jobs.service import Job
from taskhub_core.jobs.submit import NewJob, submit
from taskhub_local.ports import any_free
from taskhub_local.testing import wait_for

_PROBE_TABLE = """
    CREATE TABLE IF NOT EXISTS probe_notes (
        job_id uuid NOT NULL,
        note text NOT NULL,
        process int NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""


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
        query = text("SELECT count(*) FROM jobs WHERE state = :state AND account_id = :account")
        with self.engine.connect() as connection:
            return int(connection.execute(query, {"state": state, "account": self.account_id}).scalar_one())

    def notes(self, job_id: uuid.UUID) -> list[str]:
        with self.engine.connect() as connection:
            rows = connection.execute(
                text("SELECT note FROM probe_notes WHERE job_id = :id ORDER BY at"), {"id": job_id}
            )
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

    def get(self, path: str) -> tuple[int, str]:
        """What its health server answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, repr(error)

    def wait_live(self) -> None:
        wait_for(lambda: self.get("/livez")[0] == 200, deadline_seconds=30, message=f"{self.output.name} did not start")

    def metric(self, name: str) -> float | None:
        """The value of a series as it is written on /metrics; None when it has none."""
        for line in self.get("/metrics")[1].splitlines():
            series, _, value = line.rpartition(" ")
            if series == name:
                return float(value)
        return None


type Start = Callable[..., Process]


def settings_for(
    database_url: str, redis_url: str, sqs_endpoint_url: str, queue: str, dead_letter_queue: str
) -> dict[str, str]:
    """Settings of both programs, with leases that are short enough for tests."""
    return {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),
        "TASKHUB_DATABASE_URL": database_url,
        "TASKHUB_REDIS_URL": redis_url,
        "TASKHUB_SQS_ENDPOINT_URL": sqs_endpoint_url,
        "TASKHUB_SQS_QUEUE_NAME": queue,
        "TASKHUB_SQS_DLQ_NAME": dead_letter_queue,
        "TASKHUB_METRICS_HOST": "127.0.0.1",
        "TASKHUB_JOB_KIND_MODULES": '["worker_probes"]',
        "TASKHUB_LEASE_SECONDS": "3",
        "TASKHUB_LEASE_RENEW_SECONDS": "0.5",
        "TASKHUB_LEASE_MARGIN_SECONDS": "1",
        "TASKHUB_SHUTDOWN_GRACE_SECONDS": "2",
        "TASKHUB_SOFT_SHUTDOWN_SECONDS": "8",
        "TASKHUB_GAUGES_SECONDS": "0.5",
    }


@dataclass
class Programs:
    """Starts programs, and kills what still runs in the end."""

    environment: Mapping[str, str]
    folder: Path
    started: list[Process] = field(default_factory=list)

    def start(self, program: str, **settings: object) -> Process:
        port = any_free()
        extra = {f"TASKHUB_{name.upper()}": str(value) for name, value in settings.items()}
        environment = {**self.environment, "TASKHUB_METRICS_PORT": str(port), **extra}
        output = self.folder / f"{len(self.started)}-{program}.log"
        process = Process([sys.executable, "-m", f"taskhub_worker.{program}"], environment, output, port)
        process.start()
        self.started.append(process)
        return process

    def kill_all(self) -> None:
        for process in self.started:
            process.kill()


@dataclass
class Platform:
    """A dispatcher and a worker that run."""

    dispatcher: Process
    worker: Process
    queue: str


def prepare(engine: Engine, *, accounts: bool = False) -> None:
    """Empties the tables of jobs, and makes the one where handlers leave notes. `accounts`: all other tables, too."""
    with engine.begin() as connection:
        connection.execute(text(_PROBE_TABLE))
        everything = ", accounts, idempotency_keys" if accounts else ""
        connection.execute(text(f"TRUNCATE jobs, outbox, probe_notes{everything} CASCADE"))


def add_account(engine: Engine) -> uuid.UUID:
    account_id = new_id()
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO accounts (id, email, password_hash) VALUES (:id, :email, 'x')"),
            {"id": account_id, "email": f"{account_id}@example.com"},
        )
    return account_id
