"""What the worker's tests work with: jobs over SQL, and real worker and dispatcher processes."""

import json
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from taskhub_core.jobs import service
from taskhub_core.jobs.service import Job
from taskhub_core.jobs.submit import NewJob, submit
from taskhub_local.testing import wait_for


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
                connection.execute(
                    text("SELECT count(*) FROM jobs WHERE state = :state"), {"state": state}
                ).scalar_one()
            )

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


type Start = Callable[..., Process]
