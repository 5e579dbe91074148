"""Writes down how attempts ended: fenced, in as few transactions as can be, and again until the lease runs out."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from taskhub_core.database.failures import classify
from taskhub_core.database.unit_of_work import RETRIED, Backoff
from taskhub_core.events import outbox
from taskhub_core.jobs import lease
from taskhub_core.jobs.announce import job_ended
from taskhub_core.jobs.lease import Claimed, Fence
from taskhub_core.jobs.notify import wake_dispatcher
from taskhub_core.jobs.registry import Registry, UnknownKind
from taskhub_core.jobs.relay import Relayed
from taskhub_core.jobs.states import JobState
from taskhub_core.telemetry import metrics
from taskhub_core.telemetry.context import incoming
from taskhub_worker.worker.keeper import LeaseKeeper
from taskhub_worker.worker.outcome import Failed, Succeeded, describe_error

log = structlog.get_logger(__name__)

_BACKOFF = Backoff(base_seconds=0.05, cap_seconds=1.0)


class Ender:
    """Ends attempts. Whatever it cannot write before the lease runs out is left to the rescue."""

    def __init__(self, engine: Engine, registry: Registry, keeper: LeaseKeeper) -> None:
        self._engine = engine
        # One statement needs no BEGIN and COMMIT around it: one round trip instead of three.
        self._one_statement = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._registry = registry
        self._keeper = keeper

    def complete(self, finished: Sequence[Succeeded]) -> None:
        """Completes the jobs and commits their effects with that, all in one transaction.

        If an effect fails, the jobs are completed one by one, so that only the culprit fails.
        """
        try:
            self._complete(finished)
        except Exception as error:
            if len(finished) == 1:
                self._effect_failed(finished[0], error)
                return
            log.warning("an effect failed; completing one by one", count=len(finished), error=repr(error)[:300])
            for one in finished:
                self.complete([one])

    def _complete(self, finished: Sequence[Succeeded]) -> None:
        fences = [one.job.fence for one in finished]

        def work(connection: Connection, repeated: bool) -> frozenset[Fence]:
            held = lease.complete(connection, [one.completion for one in finished])
            mine = [one for one in finished if one.job.fence in held]
            for one in mine:
                _apply_effects(connection, one)
            outbox.add(connection, [one.announcement for one in mine if one.announcement is not None])
            if any(one.kind.concurrency_limit is not None for one in mine):
                wake_dispatcher(connection)
            if not repeated:
                return held
            # The commit before this one may have come through: then these are ours, with their effects.
            return held | lease.succeeded(connection, [fence for fence in fences if fence not in held])

        held = self._persist(
            work, fences, operation="complete", one_statement=not any(one.has_more for one in finished)
        )
        self._keeper.release(fences)
        for one in finished if held is not None else []:
            self._report_success(one, held=one.job.fence in (held or ()))

    def relay(self, done: Succeeded, complete_and_claim: Callable[[Connection], Relayed]) -> Claimed | None:
        """Completes a job that writes nothing but its own row, and returns the next, if it was claimed with that."""
        fence = done.job.fence

        def work(connection: Connection, repeated: bool) -> Relayed:
            relayed = complete_and_claim(connection)
            if repeated and not relayed.held:
                # The commit before this one may have come through.
                return Relayed(bool(lease.succeeded(connection, [fence])), relayed.claimed)
            return relayed

        relayed = self._persist(work, [fence], operation="complete", one_statement=True)
        self._keeper.release([fence])
        if relayed is None:
            return None
        self._report_success(done, held=relayed.held)
        return relayed.claimed

    def _effect_failed(self, one: Succeeded, error: Exception) -> None:
        delay = one.kind.retry.delay(one.job.tries)
        self.fail(one.job, Failed(describe_error(error, permanent=False), permanent=False, delay_seconds=delay))

    def fail(self, job: Claimed, failed: Failed) -> None:
        """Ends the attempt as failed: dead, or to be tried again."""

        def work(connection: Connection, _repeated: bool) -> JobState | None:
            state = lease.fail(
                connection,
                job.fence,
                error=failed.error,
                permanent=failed.permanent,
                delay_seconds=failed.delay_seconds,
            )
            if state in (JobState.DEAD, JobState.CANCELLED):
                self._announce(connection, job, state, failed.error)
            if state is not None:
                wake_dispatcher(connection)
            return state

        self._end(job, "fail", lambda: self._persist(work, [job.fence], operation="fail"), error=failed.error)

    def cancel(self, job: Claimed) -> None:
        """Ends the job as cancelled."""

        def work(connection: Connection, _repeated: bool) -> JobState | None:
            if not lease.cancel(connection, job.fence):
                return None
            self._announce(connection, job, JobState.CANCELLED, None)
            wake_dispatcher(connection)
            return JobState.CANCELLED

        self._end(job, "cancel", lambda: self._persist(work, [job.fence], operation="cancel"))

    def give_back(self, jobs: Sequence[Claimed]) -> None:
        """Puts unfinished jobs back into the queue; their attempts do not count against them."""
        if not jobs:
            return
        fences = [job.fence for job in jobs]

        def work(connection: Connection, _repeated: bool) -> frozenset[Fence]:
            given = lease.give_back(connection, fences)
            if given:
                wake_dispatcher(connection)
            return given

        given = self._persist(work, fences, operation="give_back")
        self._keeper.release(fences)
        for job in jobs:
            if given is not None and job.fence in given:
                metrics.JOBS_FINISHED.labels(kind=job.kind, outcome="returned").inc()
                log.info("job given back", job_id=str(job.fence.job_id), kind=job.kind, attempt=job.fence.attempt)

    def lost(self, job: Claimed) -> None:
        """Somebody else has the job, or soon will: nothing is written."""
        self._keeper.release([job.fence])
        metrics.JOBS_FINISHED.labels(kind=job.kind, outcome="lost").inc()
        log.warning("lease lost", job_id=str(job.fence.job_id), kind=job.kind, attempt=job.fence.attempt)

    def _end(
        self, job: Claimed, operation: str, write: Callable[[], JobState | None], error: dict[str, object] | None = None
    ) -> None:
        state = write()
        self._keeper.release([job.fence])
        if state is None:
            return
        outcome = state.value if state in (JobState.DEAD, JobState.CANCELLED) else "failed"
        metrics.JOBS_FINISHED.labels(kind=job.kind, outcome=outcome).inc()
        log.info(
            "attempt ended", outcome=outcome, job_id=str(job.fence.job_id), kind=job.kind, attempt=job.fence.attempt,
            operation=operation, error=error,
        )  # fmt: skip

    def _announce(self, connection: Connection, job: Claimed, state: JobState, detail: Any) -> None:
        if not self._announces(job.kind):
            return
        with incoming(job.context, span="announce"):
            ended = job_ended(
                job_id=job.fence.job_id,
                account_id=job.account_id,
                kind=job.kind,
                attempt=job.fence.attempt,
                state=state,
                detail=detail,
            )
        outbox.add(connection, [ended])

    def _announces(self, kind: str) -> bool:
        try:
            return self._registry.get(kind).announces
        except UnknownKind:
            return False

    def _report_success(self, one: Succeeded, *, held: bool) -> None:
        if not held:
            metrics.FENCED_WRITES.labels(operation="complete").inc()
            metrics.JOBS_FINISHED.labels(kind=one.kind.name, outcome="lost").inc()
            log.warning("a late completion was fenced off", **one.story)
            return
        metrics.JOBS_FINISHED.labels(kind=one.kind.name, outcome="succeeded").inc()
        log.info("job succeeded", seconds=round(one.seconds, 4), **one.story)

    def _persist[T](
        self,
        work: Callable[[Connection, bool], T],
        fences: Sequence[Fence],
        *,
        operation: str,
        one_statement: bool = False,
    ) -> T | None:
        """Commits the work, again and again while PostgreSQL is away, at least once and until the lease runs out.

        `work` is told whether an earlier COMMIT may have come through. `one_statement`: it needs no BEGIN and COMMIT.
        None: it was not written; the rescue takes over.
        """
        engine = self._one_statement if one_statement else self._engine
        attempt = 0
        uncertain = False
        while True:
            attempt += 1
            committing = one_statement
            try:
                with engine.connect() as connection, connection.begin() as transaction:
                    result = work(connection, uncertain)
                    committing = True
                    transaction.commit()
            except (DBAPIError, PoolTimeout) as error:
                failure = classify(error)
                if failure not in RETRIED:
                    raise
                uncertain = uncertain or committing
                metrics.DATABASE_RETRIES.labels(reason=failure.value).inc()
                pause = _BACKOFF.delay(attempt)
                if time.monotonic() + pause >= self._keeper.deadline(fences):
                    log.warning("let go: PostgreSQL did not answer in time", operation=operation, count=len(fences))
                    return None
                time.sleep(pause)
            else:
                if result is None or result == frozenset():
                    self._count_fenced(operation, uncertain=uncertain)
                return result

    @staticmethod
    def _count_fenced(operation: str, *, uncertain: bool) -> None:
        # After a COMMIT of unknown outcome "no row" most likely means that it came through.
        if operation != "complete" and not uncertain:
            metrics.FENCED_WRITES.labels(operation=operation).inc()


def _apply_effects(connection: Connection, one: Succeeded) -> None:
    if one.effects:
        with incoming(one.job.context, span=f"{one.kind.name} effects", job_id=str(one.job.fence.job_id)):
            for effect in one.effects:
                effect(connection)
