"""Ends this process when a handler will not stop, after writing down what is to become of its job and the others."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NoReturn

import structlog
from sqlalchemy import Connection, NullPool, create_engine

from taskhub_core.database.engine import connect_args, sqlalchemy_url
from taskhub_core.events import outbox
from taskhub_core.jobs import lease
from taskhub_core.jobs.announce import job_ended
from taskhub_core.jobs.errors import JobInterrupted, ShuttingDown
from taskhub_core.jobs.lease import Fence
from taskhub_core.jobs.notify import wake_dispatcher
from taskhub_core.jobs.registry import Registry
from taskhub_core.jobs.states import JobState
from taskhub_core.settings import DatabaseSettings
from taskhub_core.telemetry import metrics
from taskhub_core.telemetry.context import incoming
from taskhub_worker.worker.keeper import Running

log = structlog.get_logger(__name__)

_WRITE_SECONDS = 4.0


class LastWords:
    """An Executioner: writes over a connection of its own, since the main thread's may be in the handler's hands.

    What cannot be written in time is left to the rescue: the leases run out. Celery's parent replaces the process, and
    the message it returns to the broker finds no job to claim.
    """

    def __init__(self, settings: DatabaseSettings, registry: Registry) -> None:
        self._settings = settings
        self._registry = registry

    def hard_limit(self, running: Running, held: Sequence[Fence]) -> NoReturn:
        """The attempt failed; the others of its batch go back, and their attempts do not count."""

        def words(connection: Connection) -> None:
            self._fail(connection, running)
            lease.give_back(connection, [fence for fence in held if fence != running.fence])
            wake_dispatcher(connection)

        self._end(running, words, "the handler ran past its hard limit; this process ends")

    def unresponsive(self, running: Running, held: Sequence[Fence], reason: type[JobInterrupted]) -> NoReturn:
        """At shutdown everything goes back. With the lease lost there is nothing to write."""

        def words(connection: Connection) -> None:
            lease.give_back(connection, held)
            wake_dispatcher(connection)

        write = words if reason is ShuttingDown else None
        self._end(running, write, f"the handler did not stop ({reason.__name__}); this process ends")

    def _fail(self, connection: Connection, running: Running) -> None:
        job = running.context.claimed
        kind = self._registry.get(job.kind)
        error = {
            "type": "HardLimitExceeded",
            "message": f"The job did not stop within {kind.hard_limit_seconds:g} s; its process was ended.",
            "permanent": False,
            "at": datetime.now(UTC).isoformat(),
        }
        delay = kind.retry.delay(job.tries)
        state = lease.fail(connection, job.fence, error=error, permanent=False, delay_seconds=delay)
        if state in (JobState.DEAD, JobState.CANCELLED) and kind.announces:
            with incoming(job.context, span="announce"):
                ended = job_ended(
                    job_id=job.fence.job_id,
                    account_id=job.account_id,
                    kind=kind.name,
                    attempt=job.fence.attempt,
                    state=state,
                    detail=error,
                )
            outbox.add(connection, [ended])
        if state is not None:
            outcome = state.value if state in (JobState.DEAD, JobState.CANCELLED) else "failed"
            metrics.JOBS_FINISHED.labels(kind=kind.name, outcome=outcome).inc()

    def _end(self, running: Running, words: Callable[[Connection], None] | None, message: str) -> NoReturn:
        job = running.context.claimed
        log.error(message, job_id=str(job.fence.job_id), kind=job.kind, attempt=job.fence.attempt)
        if words is not None:
            writer = threading.Thread(target=self._write, args=(words,), daemon=True)
            writer.start()
            writer.join(_WRITE_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)
        raise SystemExit  # not reached

    def _write(self, words: Callable[[Connection], None]) -> None:
        arguments = connect_args(self._settings, application_name="taskhub-worker-last-words")
        engine = create_engine(sqlalchemy_url(self._settings), connect_args=arguments, poolclass=NullPool)
        try:
            with engine.begin() as connection:
                words(connection)
        except Exception as error:
            log.warning("last words were not written; the rescue takes over", error=repr(error)[:300])
