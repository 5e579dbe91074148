"""The event that tells clients that a job ended."""

import uuid
from datetime import UTC, datetime
from typing import Any

from taskhub_core.events.schema import JOB_CANCELLED, JOB_DEAD, JOB_SUCCEEDED, Event, event
from taskhub_core.jobs.states import JobState

_TYPES = {JobState.SUCCEEDED: JOB_SUCCEEDED, JobState.DEAD: JOB_DEAD, JobState.CANCELLED: JOB_CANCELLED}
_ENDED = {JobState.SUCCEEDED: "succeeded", JobState.DEAD: "failed for good", JobState.CANCELLED: "was cancelled"}


def job_ended(
    *, job_id: uuid.UUID, account_id: uuid.UUID, kind: str, attempt: int, state: JobState, detail: dict[str, Any] | None
) -> Event:
    """The event of a job's end. `detail` is its result or its error."""
    return event(
        _TYPES[state],
        account_id=account_id,
        subject_id=job_id,
        version=attempt,
        summary=f"Job {kind} {_ENDED[state]}",
        at=datetime.now(UTC),
        data={"job_id": str(job_id), "kind": kind, "state": state.value, "detail": detail},
    )
