"""Runs the jobs of one message: a batch is claimed and completed together, a run one after the other."""

import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import structlog
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from taskhub_core.database.failures import Failure, classify
from taskhub_core.database.unit_of_work import Backoff
from taskhub_core.events.schema import Event
from taskhub_core.jobs import lease
from taskhub_core.jobs.announce import job_ended
from taskhub_core.jobs.context import HandlerSettings, JobContext
from taskhub_core.jobs.errors import (
    CancelRequested,
    JobInterrupted,
    LeaseLost,
    PermanentError,
    RetryLater,
    ShuttingDown,
    SoftLimitExceeded,
)
from taskhub_core.jobs.lease import Claimed, Completion
from taskhub_core.jobs.registry import JobKind, Registry, UnknownKind
from taskhub_core.jobs.relay import Relayed, complete_and_claim
from taskhub_core.jobs.states import JobState
from taskhub_core.telemetry import metrics
from taskhub_core.telemetry.context import incoming
from taskhub_worker.worker.break_in import BreakIn
from taskhub_worker.worker.ending import Ender
from taskhub_worker.worker.keeper import LeaseKeeper, Running
from taskhub_worker.worker.outcome import Cancelled, Failed, Lost, Outcome, Succeeded, Unfinished, describe_error
from taskhub_worker.worker.pending import Pending

log = structlog.get_logger(__name__)

_BACKOFF = Backoff(base_seconds=0.1, cap_seconds=2.0)
_UNKNOWN_KIND_DELAY_SECONDS = 30.0


class Executor:
    """What a worker process does with a message. Lives in the main thread of a child."""

    def __init__(
        self,
        *,
        worker: str,
        engine: Engine,
        handler_engine: Engine,
        settings: HandlerSettings,
        flush_seconds: float,
        registry: Registry,
        keeper: LeaseKeeper,
        break_in: BreakIn,
        stopping: Callable[[], bool],
    ) -> None:
        self._worker = worker
        self._handler_engine = handler_engine
        self._settings = settings
        self._flush_seconds = flush_seconds
        self._registry = registry
        self._keeper = keeper
        self._break_in = break_in
        self._stopping = stopping
        self._ender = Ender(engine, registry, keeper)
        # One statement needs no BEGIN and COMMIT around it: one round trip instead of three.
        self._one_statement = engine.execution_options(isolation_level="AUTOCOMMIT")

    def run(self, job_ids: Sequence[uuid.UUID]) -> bool:
        """Does the jobs. False: the worker is stopping, so the message must go back; what was done is refused then.

        The first job is claimed alone, and its kind tells how to go on with the others.
        """
        pending = Pending(job_ids)
        first = self._claim_next(pending)
        if first is None:
            return not pending
        if self._is_batched(first):
            return self._batch(first, pending.take_all())
        return self._one_by_one(first, pending)

    def _is_batched(self, job: Claimed) -> bool:
        try:
            return self._registry.get(job.kind).batch_size > 1
        except UnknownKind:
            return False

    def _batch(self, first: Claimed, others: Sequence[uuid.UUID]) -> bool:
        """Very short jobs: claimed together, completed together."""
        claimed = [first, *((self._claim(others) or ()) if others else ())]
        waiting: list[Succeeded] = []
        try:
            for index, job in enumerate(claimed):
                if self._stopping():
                    self._ender.give_back(claimed[index:])
                    break
                outcome = self._attempt(job)
                if isinstance(outcome, Succeeded):
                    waiting.append(outcome)
                else:
                    self._end(job, outcome)
                if waiting and time.monotonic() - waiting[0].finished > self._flush_seconds:
                    self._flush(waiting)
        finally:
            # Whatever went wrong with one job, the others are completed, and no lease is renewed for nobody.
            try:
                self._flush(waiting)
            finally:
                self._keeper.release([job.fence for job in claimed])
        return True

    def _one_by_one(self, first: Claimed, pending: Pending) -> bool:
        """Each job is claimed when the one before it has ended, so none loses an attempt to another's crash.

        The keeper lets go of those that would wait for long.
        """
        job: Claimed | None = first
        with self._keeper.minding(pending):
            while job is not None:
                fence = job.fence
                try:
                    job = self._work_and_claim_next(job, pending)
                finally:
                    self._keeper.release([fence])
        return not pending

    def _work_and_claim_next(self, job: Claimed, pending: Pending) -> Claimed | None:
        if self._stopping():
            self._ender.give_back([job])
            return None
        outcome = self._attempt(job)
        if isinstance(outcome, Succeeded) and not outcome.has_more and (next_id := pending.take()) is not None:
            claimed = self._complete_and_claim(outcome, next_id, pending)
            if claimed is not None:
                return claimed
        else:
            self._end(job, outcome)
        return self._claim_next(pending)

    def _complete_and_claim(self, done: Succeeded, next_id: uuid.UUID, pending: Pending) -> Claimed | None:
        asked = 0.0

        def work(connection: Connection) -> Relayed:
            nonlocal asked
            asked = time.monotonic()
            lease_seconds = self._settings.lease_seconds
            return complete_and_claim(
                connection, done.completion, next_id, worker=self._worker, lease_seconds=lease_seconds
            )

        try:
            claimed = self._ender.relay(done, work)
        except Exception:
            # Alone, what is wrong with the completion ends the attempt as it should.
            pending.put_back(next_id)
            self._ender.complete([done])
            return None
        self._claimed([next_id], [] if claimed is None else [claimed], asked=asked)
        return claimed

    def _claim_next(self, pending: Pending) -> Claimed | None:
        """The next job that is there to be claimed; None when there is none, and when the worker stops."""
        while not self._stopping() and (job_id := pending.take()) is not None:
            claimed = self._claim([job_id])
            if claimed:
                return claimed[0]
            if claimed is None:
                pending.put_back(job_id)
        return None

    def _claim(self, job_ids: Sequence[uuid.UUID]) -> list[Claimed] | None:
        """Takes the leases. While PostgreSQL is away the message is held rather than burnt."""
        attempt = 0
        while not self._stopping():
            attempt += 1
            asked = time.monotonic()
            try:
                with self._one_statement.connect() as connection:
                    claimed = lease.claim(
                        connection, job_ids, worker=self._worker, lease_seconds=self._settings.lease_seconds
                    )
            except (DBAPIError, PoolTimeout) as error:
                if classify(error) is Failure.OTHER:
                    raise
                metrics.DATABASE_RETRIES.labels(reason=classify(error).value).inc()
                log.warning("cannot claim; the message is held", error=repr(error)[:300], attempt=attempt)
                time.sleep(_BACKOFF.delay(attempt) + 0.05)
                continue
            self._claimed(job_ids, claimed, asked=asked)
            return claimed
        return None

    def _claimed(self, job_ids: Sequence[uuid.UUID], claimed: Sequence[Claimed], *, asked: float) -> None:
        self._keeper.hold([job.fence for job in claimed], asked=asked)
        if len(claimed) < len(job_ids):
            metrics.CLAIMS_REFUSED.inc(len(job_ids) - len(claimed))
        for job in claimed:
            metrics.JOBS_CLAIMED.labels(kind=job.kind).inc()
            metrics.JOB_START_DELAY_SECONDS.labels(kind=job.kind).observe(job.waited_seconds)

    def _end(self, job: Claimed, outcome: Outcome) -> None:
        match outcome:
            case Succeeded():
                self._ender.complete([outcome])
            case Failed():
                self._ender.fail(job, outcome)
            case Cancelled():
                self._ender.cancel(job)
            case Unfinished():
                self._ender.give_back([job])
            case Lost():
                self._ender.lost(job)

    def _flush(self, waiting: list[Succeeded]) -> None:
        if waiting:
            finished = list(waiting)
            waiting.clear()
            self._ender.complete(finished)

    def _attempt(self, job: Claimed) -> Outcome:
        if not self._keeper.holds(job.fence):
            return Lost()
        if self._keeper.cancel_requested(job.fence):
            return Cancelled()
        try:
            kind = self._registry.get(job.kind)
        except UnknownKind as error:
            # A newer release submitted it; its workers will know it.
            described = describe_error(error, permanent=False)
            return Failed(described, permanent=False, delay_seconds=_UNKNOWN_KIND_DELAY_SECONDS)
        fields = {"job_id": str(job.fence.job_id), "kind": job.kind, "attempt": job.fence.attempt}
        with incoming(job.context, span=job.kind, **fields):
            started = time.monotonic()
            outcome = self._outcome(job, kind, started)
            metrics.JOB_SECONDS.labels(kind=job.kind).observe(time.monotonic() - started)
            return outcome

    def _outcome(self, job: Claimed, kind: JobKind[Any], started: float) -> Outcome:
        context = JobContext(job, engine=self._handler_engine, settings=self._settings)
        try:
            args = kind.parse(job.args)
        except ValidationError as error:
            return Failed(describe_error(error, permanent=True), permanent=True, delay_seconds=0.0)
        try:
            result = self._handle(kind, context, args)
        except (PermanentError, RetryLater) as error:
            return self._failure(job, kind, error)
        except JobInterrupted as error:
            self._handler_engine.dispose()
            return self._interrupted(job, kind, type(error))
        except Exception as error:
            if context.interruption is None:
                return self._failure(job, kind, error)
            # An interruption can surface as another error: raised inside a driver's call, whose clean-up then fails,
            # too. What it left behind (disposed of, in both cases) must not meet the next job.
            self._handler_engine.dispose()
            return self._interrupted(job, kind, context.interruption)
        return self._success(job, kind, context, result, started)

    def _interrupted(self, job: Claimed, kind: JobKind[Any], reason: type[JobInterrupted]) -> Outcome:
        if reason is SoftLimitExceeded:
            return self._failure(
                job, kind, SoftLimitExceeded(f"The job ran longer than {kind.soft_limit_seconds:g} s.")
            )
        outcomes: dict[type[JobInterrupted], Outcome] = {
            CancelRequested: Cancelled(),
            ShuttingDown: Unfinished(),
            LeaseLost: Lost(),
        }
        return outcomes[reason]

    def _handle(self, kind: JobKind[Any], context: JobContext, args: Any) -> Any:
        """The handler's result as plain JSON values. Raises what the handler raises, and what interrupts it."""
        running = Running(context, kind.soft_limit_seconds, kind.hard_limit_seconds)

        def handle() -> Any:
            result = kind.handler(context, args)
            plain = result.model_dump(mode="json") if isinstance(result, BaseModel) else result
            orjson.dumps(plain)  # what cannot be stored is the handler's mistake, so it shows here
            return plain

        with self._keeper.watching(running):
            return self._break_in.call(context, handle)

    def _failure(self, job: Claimed, kind: JobKind[Any], error: Exception | SoftLimitExceeded) -> Failed:
        permanent = isinstance(error, PermanentError)
        delay = kind.retry.delay(job.tries)
        if isinstance(error, RetryLater) and error.delay_seconds is not None:
            delay = error.delay_seconds
        described = describe_error(error, permanent=permanent)
        if not isinstance(error, (PermanentError, RetryLater, SoftLimitExceeded)):
            # Where, without the values that a rendered exception would show.
            frames = traceback.extract_tb(error.__traceback__)
            where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
            log.warning("the handler failed", error=described["message"], error_type=described["type"], where=where)
        return Failed(described, permanent=permanent, delay_seconds=delay)

    @staticmethod
    def _success(job: Claimed, kind: JobKind[Any], context: JobContext, result: Any, started: float) -> Succeeded:
        now = time.monotonic()
        progress = None if context.progress is None else context.progress.as_dict()
        return Succeeded(
            job=job,
            kind=kind,
            completion=Completion(job.fence, result, progress),
            effects=tuple(context.effects),
            announcement=_announcement(job, kind, result),
            seconds=now - started,
            finished=now,
            story=structlog.contextvars.get_contextvars(),
        )


def _announcement(job: Claimed, kind: JobKind[Any], result: Any) -> Event | None:
    if not kind.announces:
        return None
    return job_ended(
        job_id=job.fence.job_id,
        account_id=job.account_id,
        kind=kind.name,
        attempt=job.fence.attempt,
        state=JobState.SUCCEEDED,
        detail=result,
    )
