"""What somebody who watches jobs run needs to know of them, for any number of jobs in one query."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, text

from taskhub_core.jobs.service import Job
from taskhub_core.jobs.states import TERMINAL, JobState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far a job is at a moment."""

    state: JobState
    tries: int
    progress: dict[str, Any] | None
    cancel_requested: bool
    result: Any
    error: dict[str, Any] | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in TERMINAL

    @classmethod
    def of(cls, job: Job) -> Self:
        """The part of a job that changes while it runs."""
        return cls(job.state, job.tries, job.progress, job.cancel_requested_at is not None, job.result, job.error)


_SNAPSHOTS = text(
    """
    SELECT id, state, attempt - returned AS tries, progress, cancel_requested_at IS NOT NULL AS cancel_requested,
           result, error
    FROM jobs WHERE id = ANY (CAST(:ids AS uuid[]))
    """
)


def snapshots(connection: Connection, job_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Snapshot]:
    """Where the jobs stand now; those that no longer exist are missing."""
    return {
        row.id: Snapshot(JobState(row.state), row.tries, row.progress, row.cancel_requested, row.result, row.error)
        for row in connection.execute(_SNAPSHOTS, {"ids": list(job_ids)})
    }
