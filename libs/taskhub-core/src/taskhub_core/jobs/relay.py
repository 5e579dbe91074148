"""One job's end and the next one's beginning in a single statement: half the round trips and commits of the two."""

import uuid
from dataclasses import dataclass

from sqlalchemy import Boolean, Connection, DateTime, Double, Integer, Text, Uuid, column, text
from sqlalchemy.dialects.postgresql import JSONB

from taskhub_core.jobs.lease import CLAIMED_COLUMNS, Claimed, Completion, as_json, claimed_from

# The two halves concern different rows and share a commit; either may come to nothing without the other.
_COMPLETE_AND_CLAIM = text(
    f"""
    WITH ended AS (
        UPDATE jobs SET
            state = 'succeeded', result = CAST(:result AS jsonb), error = NULL, finished_at = now(),
            lease_expires_at = NULL, progress = coalesce(CAST(:progress AS jsonb), progress)
        WHERE id = :id AND attempt = :attempt AND state = 'running'
        RETURNING id
    ), mine AS (
        SELECT id FROM jobs
        WHERE id = :next_id AND state = 'queued' AND dispatched_at IS NOT NULL
        FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE jobs SET
            state = 'running',
            attempt = attempt + 1,
            lease_expires_at = now() + make_interval(secs => :lease_seconds),
            worker = :worker,
            started_at = coalesce(started_at, now())
        FROM mine WHERE jobs.id = mine.id
        RETURNING {CLAIMED_COLUMNS}
    )
    SELECT EXISTS (SELECT FROM ended) AS held, claimed.* FROM (VALUES (1)) AS always LEFT JOIN claimed ON true
    """  # noqa: S608 - no value is formatted in
).columns(  # known columns let SQLAlchemy keep what it else works out anew each time: a tenth of the worker's CPU
    column("held", Boolean),
    column("id", Uuid),
    column("account_id", Uuid),
    column("kind", Text),
    column("args", JSONB),
    column("context", JSONB),
    column("checkpoint", JSONB),
    column("attempt", Integer),
    column("tries", Integer),
    column("max_attempts", Integer),
    column("waited_seconds", Double),
    column("created_at", DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class Relayed:
    """What became of both."""

    held: bool
    """Whether the completed job was still held: if not, nothing was written of it."""
    claimed: Claimed | None
    """The next job; None when it was not there to be claimed."""


def complete_and_claim(
    connection: Connection, completion: Completion, next_id: uuid.UUID, *, worker: str, lease_seconds: float
) -> Relayed:
    """Ends a job that has no effects in PostgreSQL beside its own row, and claims another; fenced as both are."""
    parameters = {
        "id": completion.fence.job_id,
        "attempt": completion.fence.attempt,
        "result": as_json(completion.result),
        "progress": as_json(completion.progress),
        "next_id": next_id,
        "worker": worker,
        "lease_seconds": lease_seconds,
    }
    row = connection.execute(_COMPLETE_AND_CLAIM, parameters).one()
    return Relayed(row.held, None if row.id is None else claimed_from(row))
