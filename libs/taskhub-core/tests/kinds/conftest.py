"""Runs handlers the way a worker does: submit, dispatch, claim, handle, and complete together with the effects."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import Connection, Engine, text

from taskhub_core.jobs import dispatch, lease, service
from taskhub_core.jobs.context import HandlerSettings, JobContext, Progress
from taskhub_core.jobs.errors import JobInterrupted, PermanentError, RetryLater, ShuttingDown
from taskhub_core.jobs.lease import Completion
from taskhub_core.jobs.registry import registry
from taskhub_core.jobs.service import Job
from taskhub_core.jobs.submit import NewJob, submit
from taskhub_local.testing import SmtpSink


class _InterruptedContext(JobContext):
    """A context whose job has to stop after some steps, as a worker's does that is shutting down."""

    steps_left = 10**9

    @contextmanager
    def step(self, checkpoint: dict[str, Any], progress: Progress | None = None) -> Iterator[Connection]:
        with super().step(checkpoint, progress) as connection:
            yield connection
        self.steps_left -= 1
        if self.steps_left == 0:
            self.interrupt(ShuttingDown)


@dataclass
class Jobs:
    """Submits jobs and runs their attempts."""

    engine: Engine
    settings: HandlerSettings

    def submit(self, account_id: uuid.UUID, kind: str, /, **args: Any) -> uuid.UUID:
        with self.engine.begin() as connection:
            job = NewJob(account_id=account_id, kind=kind, args=args)
            submit(connection, [job])
        return job.id

    def attempt(self, job_id: uuid.UUID, *, stop_after_steps: int = 10**9, complete: bool = True) -> Any:
        """One attempt. Returns the result; raises what the handler raised, after recording it.

        Without `complete` the worker is gone just before it would have completed the job.
        """
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET state = 'queued' WHERE state = 'scheduled'"))
            dispatch.mark_for_dispatch(connection, registry, window=1_000)
            (claimed,) = lease.claim(connection, [job_id], worker="test", lease_seconds=30)
        kind = registry.get(claimed.kind)
        context = _InterruptedContext(claimed, engine=self.engine, settings=self.settings)
        context.steps_left = stop_after_steps
        try:
            result = kind.handler(context, kind.parse(claimed.args))
        except JobInterrupted:
            with self.engine.begin() as connection:
                assert lease.give_back(connection, [claimed.fence])
            raise
        except Exception as error:
            delay = error.delay_seconds if isinstance(error, RetryLater) else None
            with self.engine.begin() as connection:
                lease.fail(
                    connection,
                    claimed.fence,
                    error={"message": str(error)},
                    permanent=isinstance(error, PermanentError),
                    delay_seconds=kind.retry.delay(claimed.tries) if delay is None else delay,
                )
            raise
        if not complete:
            with self.engine.begin() as connection:
                assert lease.give_back(connection, [claimed.fence])
            return None
        value = result.model_dump(mode="json") if isinstance(result, BaseModel) else result
        progress = None if context.progress is None else context.progress.as_dict()
        with self.engine.begin() as connection:
            assert lease.complete(connection, [Completion(claimed.fence, value, progress)]) == {claimed.fence}
            for effect in context.effects:
                effect(connection)
        return value

    def run(self, account_id: uuid.UUID, kind: str, /, **args: Any) -> Any:
        """Submits a job and runs its first attempt."""
        return self.attempt(self.submit(account_id, kind, **args))

    def get(self, job_id: uuid.UUID) -> Job:
        with self.engine.connect() as connection:
            return service.get(connection, job_id, account_id=None)

    def with_settings(self, **changes: Any) -> "Jobs":
        return Jobs(self.engine, self.settings.model_copy(update=changes))


@pytest.fixture
def jobs(engine: Engine, database_url: str, smtp_sink: SmtpSink) -> Jobs:
    settings = HandlerSettings(
        database_url=database_url,
        smtp_host=smtp_sink.host,
        smtp_port=smtp_sink.port,
        mail_from="TaskHub <no-reply@taskhub.example>",
        webhook_allow_private_addresses=True,
        webhook_timeout_seconds=2.0,
    )
    return Jobs(engine, settings)
