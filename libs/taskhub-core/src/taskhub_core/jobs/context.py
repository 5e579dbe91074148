"""What a handler is given beside its arguments: whom it works for, and where to leave its effects."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from taskhub_core.jobs import lease
from taskhub_core.jobs.errors import JobInterrupted, LeaseLost
from taskhub_core.jobs.lease import Claimed
from taskhub_core.jobs.settings import JobSettings
from taskhub_core.settings import DatabaseSettings, MailSettings, SearchSettings, WebhookSettings
from taskhub_core.telemetry import metrics

type Effect = Callable[[Connection], None]


class HandlerSettings(JobSettings, DatabaseSettings, SearchSettings, MailSettings, WebhookSettings):
    """What handlers may need to reach."""


@dataclass(slots=True)
class Progress:
    """How far a job came, for people to watch."""

    done: int
    total: int | None = None
    message: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As stored and shown."""
        return {"done": self.done, "total": self.total, "message": self.message}


class JobContext:
    """One attempt at one job, as its handler sees it."""

    def __init__(self, claimed: Claimed, *, engine: Engine, settings: HandlerSettings) -> None:
        self._claimed = claimed
        self._checkpoint = claimed.checkpoint
        self._progress: Progress | None = None
        self._progress_saved = 0.0
        self._interruption: type[JobInterrupted] | None = None
        self.effects: list[Effect] = []
        self.engine = engine
        self.settings = settings

    @property
    def id(self) -> uuid.UUID:
        """The job's id: send it along with every effect outside PostgreSQL, as that effect's idempotency key."""
        return self._claimed.fence.job_id

    @property
    def account_id(self) -> uuid.UUID:
        """The account that the job works for."""
        return self._claimed.account_id

    @property
    def claimed(self) -> Claimed:
        """The claim behind this attempt."""
        return self._claimed

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        """Where the last attempt came to, as its last step saved it; None at the beginning."""
        return self._checkpoint

    @property
    def progress(self) -> Progress | None:
        """What was last reported."""
        return self._progress

    def interrupt(self, reason: type[JobInterrupted]) -> None:
        """Asks the handler to stop; the first reason stays. Called from the engine's threads."""
        if self._interruption is None:
            self._interruption = reason

    @property
    def interruption(self) -> type[JobInterrupted] | None:
        """Why the handler was asked to stop, if it was."""
        return self._interruption

    def check(self) -> None:
        """Raises if the job must stop (cancelled, lease lost, shutting down, too long): call it between pieces."""
        if self._interruption is not None:
            raise self._interruption(f"job {self.id} must stop")

    def report(self, done: int, *, total: int | None = None, message: str | None = None) -> None:
        """Reports progress. It is written at most once a second, so call it as often as you like."""
        self.check()
        self._progress = Progress(done, total, message)
        now = time.monotonic()
        if now - self._progress_saved >= 1.0:
            self._progress_saved = now
            with self.engine.begin() as connection:
                self._save_step(connection)

    @contextmanager
    def step(self, checkpoint: dict[str, Any], progress: Progress | None = None) -> Iterator[Connection]:
        """A transaction for a part of the work, committed together with the checkpoint that says it is done.

        Raises LeaseLost, with nothing committed, when another worker has the job by now.
        """
        self.check()
        with self.engine.begin() as connection:
            yield connection
            previous = self._checkpoint, self._progress
            self._checkpoint, self._progress = checkpoint, progress or self._progress
            try:
                self._save_step(connection)
            except BaseException:
                self._checkpoint, self._progress = previous
                raise
        self._progress_saved = time.monotonic()

    def on_complete(self, effect: Effect) -> None:
        """Adds a database effect to the transaction that completes the job: it happens once, or not at all."""
        self.effects.append(effect)

    def _save_step(self, connection: Connection) -> None:
        saved = lease.save_step(
            connection,
            self._claimed.fence,
            checkpoint=self._checkpoint,
            progress=None if self._progress is None else self._progress.as_dict(),
            lease_seconds=self.settings.lease_seconds,
        )
        if not saved:
            metrics.FENCED_WRITES.labels(operation="step").inc()
            raise LeaseLost(f"job {self.id}, attempt {self._claimed.fence.attempt}, belongs to another worker by now")
