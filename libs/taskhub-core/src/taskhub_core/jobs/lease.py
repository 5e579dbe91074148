"""The worker's side of a job: claim, renew, and every way to end an attempt. Each write after the claim is fenced.

The fence is `attempt`: a claim raises it, so a worker whose job was rescued and claimed again holds an old number and
its UPDATE matches no row (Kleppmann, "How to do distributed locking", 2016, on fencing tokens). All times are the
database's.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, text

from taskhub_core.jobs.states import JobState


@dataclass(frozen=True, slots=True)
class Fence:
    """What a worker holds of a job: its id and the number of the claim."""

    job_id: uuid.UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that this worker has the lease of."""

    fence: Fence
    account_id: uuid.UUID
    kind: str
    args: dict[str, Any]
    context: dict[str, str]
    checkpoint: dict[str, Any] | None
    tries: int
    """Attempts that count against max_attempts, this one included."""
    max_attempts: int
    waited_seconds: float
    created_at: datetime


CLAIMED_COLUMNS = """
    jobs.id, account_id, kind, args, context, checkpoint, attempt, attempt - returned AS tries, max_attempts,
    EXTRACT(epoch FROM now() - run_at)::float8 AS waited_seconds, created_at
"""
"""What a claim returns, for `claimed_from`."""

# SKIP LOCKED: a second delivery of the same id neither waits for the first nor deadlocks with it.
# Only a marked job can be claimed: a stale message of a job whose mark was taken back would otherwise start it beside
# the job that was marked in its place, over the kind's concurrency limit.
_CLAIM = text(
    f"""
    WITH mine AS (
        SELECT id FROM jobs
        WHERE id = ANY (CAST(:ids AS uuid[])) AND state = 'queued' AND dispatched_at IS NOT NULL
        FOR UPDATE SKIP LOCKED
    )
    UPDATE jobs SET
        state = 'running',
        attempt = attempt + 1,
        lease_expires_at = now() + make_interval(secs => :lease_seconds),
        worker = :worker,
        started_at = coalesce(started_at, now())
    FROM mine WHERE jobs.id = mine.id
    RETURNING {CLAIMED_COLUMNS}
    """  # noqa: S608 - no value is formatted in
)


def claim(connection: Connection, ids: Sequence[uuid.UUID], *, worker: str, lease_seconds: float) -> list[Claimed]:
    """Claims those of the jobs that are queued and dispatched, in the order of `ids`. Commit before working on them."""
    rows = connection.execute(_CLAIM, {"ids": list(ids), "worker": worker, "lease_seconds": lease_seconds})
    claimed = {row.id: claimed_from(row) for row in rows}
    return [claimed[job_id] for job_id in dict.fromkeys(ids) if job_id in claimed]


def claimed_from(row: Row[Any]) -> Claimed:
    """The claim that a row of CLAIMED_COLUMNS tells of."""
    return Claimed(
        fence=Fence(row.id, row.attempt),
        account_id=row.account_id,
        kind=row.kind,
        args=row.args,
        context=row.context,
        checkpoint=row.checkpoint,
        tries=row.tries,
        max_attempts=row.max_attempts,
        waited_seconds=max(0.0, row.waited_seconds),
        created_at=row.created_at,
    )


# Every fenced UPDATE joins the arrays of ids and attempts, so one statement serves a batch.
_HELD = """
    FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS int[])) AS held (id, attempt)
    WHERE jobs.id = held.id AND jobs.attempt = held.attempt AND jobs.state = 'running'
"""
_RENEW = text(
    f"""
    UPDATE jobs SET lease_expires_at = now() + make_interval(secs => :lease_seconds)
    {_HELD}
    RETURNING jobs.id, jobs.attempt, cancel_requested_at IS NOT NULL AS cancel
    """  # noqa: S608 - no value is formatted in
)


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a renewal told: the fences still held, and which of them somebody wants cancelled."""

    held: frozenset[Fence]
    cancel_requested: frozenset[Fence]


def renew(connection: Connection, fences: Sequence[Fence], *, lease_seconds: float) -> Renewed:
    """Prolongs the leases. A fence that is missing from `held` is lost: its work must stop."""
    rows = connection.execute(_RENEW, {**_arrays(fences), "lease_seconds": lease_seconds}).all()
    return Renewed(
        held=frozenset(Fence(row.id, row.attempt) for row in rows),
        cancel_requested=frozenset(Fence(row.id, row.attempt) for row in rows if row.cancel),
    )


_COMPLETE = text(
    """
    UPDATE jobs SET
        state = 'succeeded', result = held.result, error = NULL, finished_at = now(), lease_expires_at = NULL,
        progress = coalesce(held.progress, jobs.progress)
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:attempts AS int[]), CAST(:results AS jsonb[]), CAST(:progresses AS jsonb[])
    ) AS held (id, attempt, result, progress)
    WHERE jobs.id = held.id AND jobs.attempt = held.attempt AND jobs.state = 'running'
    RETURNING jobs.id, jobs.attempt
    """
)


@dataclass(frozen=True, slots=True)
class Completion:
    """A job whose work is done, with what it gives back."""

    fence: Fence
    result: Any = None
    progress: dict[str, Any] | None = None


def complete(connection: Connection, completions: Sequence[Completion]) -> frozenset[Fence]:
    """Ends the jobs as succeeded and returns the fences that still held.

    Run it first in the transaction, then the database effects of those jobs only: all of it commits, or nothing.
    """
    rows = connection.execute(
        _COMPLETE,
        {
            **_arrays([completion.fence for completion in completions]),
            "results": [as_json(completion.result) for completion in completions],
            "progresses": [as_json(completion.progress) for completion in completions],
        },
    )
    return frozenset(Fence(row.id, row.attempt) for row in rows)


_SUCCEEDED = text(
    """
    SELECT jobs.id, jobs.attempt
    FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS int[])) AS held (id, attempt)
    JOIN jobs ON jobs.id = held.id AND jobs.attempt = held.attempt AND jobs.state = 'succeeded'
    """
)


def succeeded(connection: Connection, fences: Sequence[Fence]) -> frozenset[Fence]:
    """Which of these attempts were completed: how a worker learns whether a COMMIT it got no answer to came through."""
    return frozenset(Fence(row.id, row.attempt) for row in connection.execute(_SUCCEEDED, _arrays(fences)))


_FAIL = text(
    """
    WITH failed AS (
        UPDATE jobs SET
            state = CASE
                WHEN :permanent OR attempt - returned >= max_attempts THEN 'dead'
                WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                WHEN :delay_seconds > 0 THEN 'scheduled'
                ELSE 'queued'
            END,
            run_at = CASE
                WHEN :permanent OR attempt - returned >= max_attempts OR cancel_requested_at IS NOT NULL THEN run_at
                ELSE now() + make_interval(secs => :delay_seconds)
            END,
            finished_at = CASE
                WHEN :permanent OR attempt - returned >= max_attempts OR cancel_requested_at IS NOT NULL THEN now()
            END,
            error = CAST(:error AS jsonb), dispatched_at = NULL, lease_expires_at = NULL
        WHERE id = :id AND attempt = :attempt AND state = 'running'
        RETURNING id, attempt, worker, state
    ), history AS (
        INSERT INTO job_attempts (job_id, attempt, outcome, worker, error)
        SELECT id, attempt, 'failed', worker, CAST(:error AS jsonb) FROM failed
    )
    SELECT state FROM failed
    """
)


def fail(
    connection: Connection, fence: Fence, *, error: dict[str, Any], permanent: bool, delay_seconds: float
) -> JobState | None:
    """Ends the attempt as failed: dead, or to be tried again after the delay. None: the job was no longer held."""
    parameters = {
        "id": fence.job_id,
        "attempt": fence.attempt,
        "error": orjson.dumps(error).decode(),
        "permanent": permanent,
        "delay_seconds": delay_seconds,
    }
    state = connection.execute(_FAIL, parameters).scalar()
    return None if state is None else JobState(state)


_CANCEL = text(
    """
    UPDATE jobs SET state = 'cancelled', finished_at = now(), lease_expires_at = NULL
    WHERE id = :id AND attempt = :attempt AND state = 'running'
    """
)


def cancel(connection: Connection, fence: Fence) -> bool:
    """Ends the job as cancelled, after its handler stopped. False: the job was no longer held."""
    result = connection.execute(_CANCEL, {"id": fence.job_id, "attempt": fence.attempt})
    return result.rowcount == 1


_GIVE_BACK = text(
    f"""
    WITH given_back AS (
        UPDATE jobs SET
            state = CASE WHEN cancel_requested_at IS NULL THEN 'queued' ELSE 'cancelled' END,
            finished_at = CASE WHEN cancel_requested_at IS NOT NULL THEN now() END,
            returned = returned + 1, dispatched_at = NULL, lease_expires_at = NULL
        {_HELD}
        RETURNING jobs.id, jobs.attempt, jobs.worker
    ), history AS (
        INSERT INTO job_attempts (job_id, attempt, outcome, worker)
        SELECT id, attempt, 'returned', worker FROM given_back
    )
    SELECT id, attempt FROM given_back
    """  # noqa: S608 - no value is formatted in
)


def give_back(connection: Connection, fences: Sequence[Fence]) -> frozenset[Fence]:
    """Puts unfinished jobs back at once (shutdown). The attempt stays counted as a fence, but not against the job."""
    return frozenset(Fence(row.id, row.attempt) for row in connection.execute(_GIVE_BACK, _arrays(fences)))


_STEP = text(
    """
    UPDATE jobs SET
        checkpoint = CAST(:checkpoint AS jsonb), progress = coalesce(CAST(:progress AS jsonb), progress),
        lease_expires_at = now() + make_interval(secs => :lease_seconds)
    WHERE id = :id AND attempt = :attempt AND state = 'running'
    """
)


def save_step(
    connection: Connection,
    fence: Fence,
    *,
    checkpoint: dict[str, Any] | None,
    progress: dict[str, Any] | None,
    lease_seconds: float,
) -> bool:
    """Records how far the job came, in the transaction of the effects it counts. False: lost; roll back."""
    parameters = {
        "id": fence.job_id,
        "attempt": fence.attempt,
        "checkpoint": as_json(checkpoint),
        "progress": as_json(progress),
        "lease_seconds": lease_seconds,
    }
    return connection.execute(_STEP, parameters).rowcount == 1


def _arrays(fences: Sequence[Fence]) -> dict[str, Any]:
    return {"ids": [fence.job_id for fence in fences], "attempts": [fence.attempt for fence in fences]}


def as_json(value: Any) -> str | None:
    """A value for a jsonb parameter; None is NULL."""
    return None if value is None else orjson.dumps(value).decode()
