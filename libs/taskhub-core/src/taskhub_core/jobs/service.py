"""What clients and operators do with jobs: look, list, cancel, retry."""

import enum
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from taskhub_core.database import driver
from taskhub_core.errors import Conflict, NotFound
from taskhub_core.events import outbox
from taskhub_core.ids import new_id
from taskhub_core.jobs.announce import job_ended
from taskhub_core.jobs.registry import registry
from taskhub_core.jobs.states import TERMINAL, JobState
from taskhub_core.jobs.submit import NewJob, submit_one

COLUMNS = """
    id, account_id, kind, state, priority, run_at, args, context, attempt, attempt - returned AS tries, max_attempts,
    worker, cancel_requested_at, progress, result, error, retry_of, created_at, started_at, finished_at
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as people see it."""

    id: uuid.UUID
    account_id: uuid.UUID
    kind: str
    state: JobState
    priority: int
    run_at: datetime
    args: dict[str, Any]
    context: dict[str, str]
    attempt: int
    tries: int
    max_attempts: int
    worker: str | None
    cancel_requested_at: datetime | None
    progress: dict[str, Any] | None
    result: Any
    error: dict[str, Any] | None
    retry_of: uuid.UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that did not succeed."""

    attempt: int
    outcome: str
    worker: str | None
    error: dict[str, Any] | None
    ended_at: datetime


def job_of(row: Row[Any]) -> Job:
    """A row that has COLUMNS, as a Job."""
    values = dict(row._mapping)
    return Job(**{**values, "state": JobState(values["state"])})


_GET = f"""
    SELECT {COLUMNS} FROM jobs
    WHERE id = %(id)s AND (CAST(%(account)s AS uuid) IS NULL OR account_id = %(account)s)
"""  # noqa: S608 - no value is formatted in


def get(connection: Connection, job_id: uuid.UUID, *, account_id: uuid.UUID | None) -> Job:
    """The job; of any account when `account_id` is None (operators). Raises NotFound."""
    row = driver.fetch_one(connection, _GET, {"id": job_id, "account": account_id})
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    fields = list(row)  # COLUMNS, which are the fields of a Job in their order
    fields[3] = JobState(fields[3])
    return Job(*fields)


def submit_and_get(connection: Connection, new: NewJob) -> Job:
    """Submits the job and returns it as it is: usually as it was submitted, without asking for it again.

    Raises Conflict when its id was used for another job, and UnknownKind.
    """
    accepted = submit_one(connection, new)
    if accepted is None:
        return get(connection, new.id, account_id=new.account_id)
    return Job(
        id=new.id,
        account_id=new.account_id,
        kind=new.kind,
        state=JobState(accepted.state),
        priority=new.priority,
        run_at=accepted.run_at,
        args=new.args,
        context=accepted.context,
        attempt=0,
        tries=0,
        max_attempts=accepted.max_attempts,
        worker=None,
        cancel_requested_at=None,
        progress=None,
        result=None,
        error=None,
        retry_of=new.retry_of,
        created_at=accepted.created_at,
        started_at=None,
        finished_at=None,
    )


# Keyset pages on ix_jobs_account_id_created_at_id: no OFFSET, so a deep page costs what the first one costs.
_LIST = text(
    f"""
    SELECT {COLUMNS} FROM jobs
    WHERE (CAST(:account AS uuid) IS NULL OR account_id = :account)
      AND (CAST(:state AS text) IS NULL OR state = :state)
      AND (CAST(:kind AS text) IS NULL OR kind = :kind)
      AND (CAST(:before_time AS timestamptz) IS NULL OR (created_at, id) < (:before_time, CAST(:before_id AS uuid)))
    ORDER BY created_at DESC, id DESC LIMIT :limit
    """  # noqa: S608 - no value is formatted in
)


def list_jobs(
    connection: Connection,
    *,
    account_id: uuid.UUID | None,
    limit: int,
    state: JobState | None = None,
    kind: str | None = None,
    before: tuple[datetime, uuid.UUID] | None = None,
) -> list[Job]:
    """The jobs (of one account, or of all), newest first, after the page that ended with `before`."""
    before_time, before_id = before or (None, None)
    parameters = {
        "account": account_id,
        "state": state,
        "kind": kind,
        "before_time": before_time,
        "before_id": before_id,
        "limit": limit,
    }
    return [job_of(row) for row in connection.execute(_LIST, parameters)]


_ATTEMPTS = text(
    "SELECT attempt, outcome, worker, error, ended_at FROM job_attempts WHERE job_id = :id ORDER BY attempt"
)


def attempts(connection: Connection, job_id: uuid.UUID) -> list[Attempt]:
    """Every attempt of the job that did not succeed, in order."""
    rows = connection.execute(_ATTEMPTS, {"id": job_id})
    return [Attempt(row.attempt, row.outcome, row.worker, row.error, row.ended_at) for row in rows]


class Cancellation(enum.StrEnum):
    """What asking for a cancellation did."""

    CANCELLED = "cancelled"
    """The job had not begun: it is cancelled."""
    REQUESTED = "requested"
    """The job is running: its handler is asked to stop."""


_CANCEL = text(
    """
    UPDATE jobs SET
        cancel_requested_at = coalesce(cancel_requested_at, now()),
        state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,
        finished_at = CASE WHEN state = 'running' THEN NULL ELSE now() END
    WHERE id = :id AND account_id = :account AND state IN ('scheduled', 'queued', 'running')
    RETURNING state, kind, attempt
    """
)


def cancel(connection: Connection, job_id: uuid.UUID, *, account_id: uuid.UUID) -> Cancellation:
    """Cancels a waiting job at once and asks a running one to stop. Repeating it is harmless.

    Raises NotFound, and Conflict when the job ended otherwise already.
    """
    row = connection.execute(_CANCEL, {"id": job_id, "account": account_id}).one_or_none()
    if row is None:
        job = get(connection, job_id, account_id=account_id)
        if job.state is JobState.CANCELLED:
            return Cancellation.CANCELLED
        raise Conflict(f"The job {job_id} has already ended as {job.state.value}.")
    if row.state == JobState.RUNNING:
        return Cancellation.REQUESTED
    ended = job_ended(
        job_id=job_id,
        account_id=account_id,
        kind=row.kind,
        attempt=row.attempt,
        state=JobState.CANCELLED,
        detail=None,
    )
    if registry.get(row.kind).announces:
        outbox.add(connection, [ended])
    return Cancellation.CANCELLED


def retry(
    connection: Connection, job_id: uuid.UUID, *, account_id: uuid.UUID | None, new_job_id: uuid.UUID | None = None
) -> Job:
    """Submits a dead or cancelled job again, as a new job that names the old one. The old one stays as it is.

    Raises NotFound, and Conflict when the job has not ended or has succeeded.
    """
    dead = get(connection, job_id, account_id=account_id)
    if dead.state not in TERMINAL or dead.state is JobState.SUCCEEDED:
        raise Conflict(f"The job {job_id} is {dead.state.value}; only a dead or cancelled job can be retried.")
    again = NewJob(
        id=new_job_id or new_id(),
        account_id=dead.account_id,
        kind=dead.kind,
        args=dead.args,
        priority=dead.priority,
        retry_of=dead.id,
    )
    return submit_and_get(connection, again)
