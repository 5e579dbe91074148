"""What operators do with dead jobs of all accounts: list them, and submit many of them again, each at most once.

A dead job stays dead; its replay is a new job that names it. Replays in bulk derive the new job's id from the old one,
so a second operator, or a second click, finds it there already.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from taskhub_core.ids import derived_id
from taskhub_core.jobs.registry import registry
from taskhub_core.jobs.service import COLUMNS, Job, job_of
from taskhub_core.jobs.states import JobState
from taskhub_core.jobs.submit import NewJob, submit

MOST_AT_ONCE = 500

_NOT_REPLAYED = "NOT EXISTS (SELECT 1 FROM jobs AS later WHERE later.retry_of = jobs.id)"
# Keyset pages on ix_jobs_dead, which holds dead jobs only.
_LIST = text(
    f"""
    SELECT {COLUMNS} FROM jobs
    WHERE state = 'dead'
      AND (CAST(:kind AS text) IS NULL OR kind = :kind)
      AND (CAST(:before AS uuid) IS NULL OR id < :before)
      AND (NOT :not_replayed OR {_NOT_REPLAYED})
    ORDER BY id DESC LIMIT :limit
    """  # noqa: S608 - no value is formatted in
)
_OF_KIND = text(
    f"""
    SELECT id FROM jobs WHERE state = 'dead' AND kind = :kind AND {_NOT_REPLAYED} ORDER BY id LIMIT :limit
    """  # noqa: S608 - no value is formatted in
)
_THESE = text("SELECT id, account_id, kind, state, args, priority FROM jobs WHERE id = ANY (CAST(:ids AS uuid[]))")


@dataclass(frozen=True, slots=True)
class Replayed:
    """A dead job, and the new one that repeats it."""

    job_id: uuid.UUID
    new_job_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Skipped:
    """A job that was not replayed, and why."""

    job_id: uuid.UUID
    reason: str


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """What became of each job."""

    replayed: list[Replayed]
    skipped: list[Skipped]


def list_dead(
    connection: Connection,
    *,
    limit: int,
    kind: str | None = None,
    before: uuid.UUID | None = None,
    not_replayed: bool = False,
) -> list[Job]:
    """Dead jobs of every account, by id downwards (new ones first, where TaskHub made the ids)."""
    parameters = {"limit": limit, "kind": kind, "before": before, "not_replayed": not_replayed}
    return [job_of(row) for row in connection.execute(_LIST, parameters)]


def dead_of_kind(connection: Connection, kind: str, *, limit: int) -> list[uuid.UUID]:
    """The oldest dead jobs of a kind that nobody has replayed yet."""
    return list(connection.execute(_OF_KIND, {"kind": kind, "limit": limit}).scalars())


def replay(connection: Connection, job_ids: Sequence[uuid.UUID]) -> ReplayOutcome:
    """Submits those of the jobs again that are dead and that no replay in bulk has taken before."""
    found = {row.id: row for row in connection.execute(_THESE, {"ids": list(job_ids)})}
    known = {kind.name for kind in registry.all()}
    again: dict[uuid.UUID, NewJob] = {}
    skipped: list[Skipped] = []
    for job_id in dict.fromkeys(job_ids):
        row = found.get(job_id)
        reason = _reason_to_skip(row, known)
        if reason is not None:
            skipped.append(Skipped(job_id, reason))
        elif row is not None:
            again[job_id] = _again(row)
    inserted = submit(connection, list(again.values()))
    replayed = [Replayed(job_id, job.id) for job_id, job in again.items() if job.id in inserted]
    skipped += [
        Skipped(job_id, f"it was replayed before, as {job.id}")
        for job_id, job in again.items()
        if job.id not in inserted
    ]
    return ReplayOutcome(replayed, skipped)


def _reason_to_skip(row: Row[Any] | None, known: set[str]) -> str | None:
    if row is None:
        return "there is no such job"
    if row.state != JobState.DEAD:
        return f"it is {row.state}"
    return None if row.kind in known else f"its kind {row.kind} is not known any more"


def _again(row: Row[Any]) -> NewJob:
    return NewJob(
        id=derived_id("replay", row.id),
        account_id=row.account_id,
        kind=row.kind,
        args=row.args,
        priority=row.priority,
        retry_of=row.id,
    )
