"""Submitting jobs: rows committed with whatever asked for them. Nothing is published here (rule 1 of the design)."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from taskhub_core.database import driver
from taskhub_core.errors import Conflict
from taskhub_core.ids import new_id
from taskhub_core.jobs.notify import CHANNEL, wake_dispatcher
from taskhub_core.jobs.registry import registry
from taskhub_core.telemetry.context import outgoing

DEFAULT_PRIORITY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to submit. `args` must have passed its kind's model."""

    account_id: uuid.UUID
    kind: str
    args: dict[str, Any]
    id: uuid.UUID = field(default_factory=new_id)
    run_at: datetime | None = None
    priority: int = DEFAULT_PRIORITY
    retry_of: uuid.UUID | None = None

    def fingerprint(self) -> bytes:
        """The same for the same submission: what tells a repeated job_id from a reused one."""
        run_at = None if self.run_at is None else self.run_at.astimezone(UTC)
        body = (self.kind, self.args, run_at, self.priority, self.retry_of)
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()


# A time in the past means now: it must neither overtake other jobs nor count as time spent waiting.
_INSERT = text(
    """
    INSERT INTO jobs (id, account_id, kind, state, priority, run_at, args, fingerprint, context, max_attempts, retry_of)
    SELECT id, account_id, kind,
           CASE WHEN run_at > now() THEN 'scheduled' ELSE 'queued' END,
           priority, greatest(run_at, now()), args, fingerprint, CAST(:context AS jsonb), max_attempts, retry_of
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:account_ids AS uuid[]), CAST(:kinds AS text[]), CAST(:priorities AS smallint[]),
        CAST(:run_ats AS timestamptz[]), CAST(:args AS jsonb[]), CAST(:fingerprints AS bytea[]),
        CAST(:max_attempts AS int[]), CAST(:retry_ofs AS uuid[])
    ) AS new (id, account_id, kind, priority, run_at, args, fingerprint, max_attempts, retry_of)
    ON CONFLICT (id) DO NOTHING
    RETURNING id
    """
)
# The same for one job, in one round trip: most submissions are one job, and a client waits for its answer.
_INSERT_ONE = f"""
    WITH new AS (
        INSERT INTO jobs
            (id, account_id, kind, state, priority, run_at, args, fingerprint, context, max_attempts, retry_of)
        VALUES (
            %(id)s, %(account_id)s, %(kind)s,
            CASE WHEN CAST(%(run_at)s AS timestamptz) > now() THEN 'scheduled' ELSE 'queued' END,
            %(priority)s, greatest(CAST(%(run_at)s AS timestamptz), now()), CAST(%(args)s AS jsonb), %(fingerprint)s,
            CAST(%(context)s AS jsonb), %(max_attempts)s, %(retry_of)s
        )
        ON CONFLICT (id) DO NOTHING
        RETURNING state, run_at, created_at
    )
    SELECT state, run_at, created_at, pg_notify('{CHANNEL}', '') FROM new
"""  # noqa: S608 - a constant
_EXISTING = text("SELECT id, account_id, fingerprint FROM jobs WHERE id = ANY (CAST(:ids AS uuid[]))")


def submit(connection: Connection, new_jobs: Sequence[NewJob]) -> set[uuid.UUID]:
    """Inserts the jobs and returns the ids that are new; the others were submitted before with the same body.

    Raises Conflict when an id was used before for another body or by another account, and UnknownKind.
    """
    if not new_jobs:
        return set()
    rows = connection.execute(
        _INSERT,
        {
            "ids": [job.id for job in new_jobs],
            "account_ids": [job.account_id for job in new_jobs],
            "kinds": [job.kind for job in new_jobs],
            "priorities": [job.priority for job in new_jobs],
            "run_ats": [job.run_at for job in new_jobs],
            "args": [orjson.dumps(job.args).decode() for job in new_jobs],
            "fingerprints": [job.fingerprint() for job in new_jobs],
            "max_attempts": [registry.get(job.kind).retry.max_attempts for job in new_jobs],
            "retry_ofs": [job.retry_of for job in new_jobs],
            "context": orjson.dumps(outgoing()).decode(),
        },
    )
    inserted = {row.id for row in rows}
    if len(inserted) < len(new_jobs):
        _refuse_reused_ids(connection, [job for job in new_jobs if job.id not in inserted])
    if inserted:
        wake_dispatcher(connection)
    return inserted


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job that was new, with what PostgreSQL and the registry added to it."""

    state: str
    run_at: datetime
    created_at: datetime
    max_attempts: int
    context: dict[str, str]


def submit_one(connection: Connection, job: NewJob) -> Accepted | None:
    """As `submit`, for one job. None when it was submitted before with the same body."""
    max_attempts, context = registry.get(job.kind).retry.max_attempts, outgoing()
    row = driver.fetch_one(
        connection,
        _INSERT_ONE,
        {
            "id": job.id,
            "account_id": job.account_id,
            "kind": job.kind,
            "priority": job.priority,
            "run_at": job.run_at,
            "args": orjson.dumps(job.args).decode(),
            "fingerprint": job.fingerprint(),
            "max_attempts": max_attempts,
            "retry_of": job.retry_of,
            "context": orjson.dumps(context).decode(),
        },
    )
    if row is None:
        _refuse_reused_ids(connection, [job])
        return None
    return Accepted(row[0], row[1], row[2], max_attempts, context)


def _refuse_reused_ids(connection: Connection, repeated: Sequence[NewJob]) -> None:
    rows = connection.execute(_EXISTING, {"ids": [job.id for job in repeated]})
    existing = {row.id: (row.account_id, bytes(row.fingerprint)) for row in rows}
    for job in repeated:
        if existing.get(job.id) != (job.account_id, job.fingerprint()):
            raise Conflict(
                f"The job id {job.id} was already used for another job. Use a new one, or repeat the first request."
            )
