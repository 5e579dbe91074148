"""Jobs as clients send and see them."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from taskhub_api.fields import Timestamp
from taskhub_core.jobs.service import Attempt, Job
from taskhub_core.jobs.states import JobState
from taskhub_core.jobs.submit import DEFAULT_PRIORITY

KIND_PATTERN = r"^[a-z0-9_.-]{1,100}$"

EXAMPLE_JOB: JsonDict = {
    "id": "0190c5a8-6d1e-7000-8000-000000000000",
    "kind": "tasks.export",
    "state": "running",
    "priority": 5,
    "run_at": "2026-01-05T09:30:00Z",
    "args": {"format": "csv"},
    "attempts": 1,
    "max_attempts": 5,
    "progress": {"done": 400, "total": 1200, "message": "writing tasks"},
    "result": None,
    "error": None,
    "retry_of": None,
    "cancel_requested": False,
    "created_at": "2026-01-05T09:30:00Z",
    "started_at": "2026-01-05T09:30:01Z",
    "finished_at": None,
}


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999") from None


class JobIn(BaseModel):
    """A job to submit."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"kind": "tasks.export", "args": {"format": "csv"}},
                {
                    "kind": "tasks.export",
                    "args": {"format": "ical"},
                    "job_id": "0190c5a8-6d1e-7000-8000-000000000000",
                    "run_at": "2026-01-05T09:30:00Z",
                    "priority": 8,
                },
            ]
        },
    )

    kind: Annotated[str, Field(pattern=KIND_PATTERN, description="One of GET /v1/job-kinds.")]
    args: Annotated[dict[str, Any], Field(description="As the kind's schema says.")] = {}
    job_id: Annotated[
        uuid.UUID | None,
        Field(description="The id to give the job. The same id with the same body is the same job, however often."),
    ] = None
    run_at: Annotated[
        Timestamp | None,
        AfterValidator(lambda value: value and _in_utc(value)),
        Field(description="Not before this time; a time in the past means now."),
    ] = None
    priority: Annotated[int, Field(ge=0, le=9, description="9 goes first, 0 last.")] = DEFAULT_PRIORITY


class JobOut(BaseModel):
    """A job."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_JOB]})

    id: uuid.UUID
    kind: str
    state: JobState
    priority: int
    run_at: datetime
    args: dict[str, Any]
    attempts: int = Field(description="How often it was tried, not counting attempts given back at a shutdown.")
    max_attempts: int
    progress: dict[str, Any] | None = Field(description="done, total and message, as the job last reported them.")
    result: Any
    error: dict[str, Any] | None = Field(description="The last failure: type, message, permanent.")
    retry_of: uuid.UUID | None = Field(description="The job that this one repeats.")
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobListOut(BaseModel):
    """A page of jobs."""

    items: list[JobOut]
    next_cursor: str | None


class AttemptOut(BaseModel):
    """An attempt that did not succeed."""

    attempt: int
    outcome: str = Field(description="failed, lost (its worker fell silent), or returned (given back at a shutdown).")
    error: dict[str, Any] | None
    ended_at: datetime


class AttemptsOut(BaseModel):
    """Every attempt that did not succeed, in order."""

    items: list[AttemptOut]


def job_document(job: Job) -> dict[str, Any]:
    """The job as JobOut, ready for JSON."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state.value,
        "priority": job.priority,
        "run_at": job.run_at,
        "args": job.args,
        "attempts": job.tries,
        "max_attempts": job.max_attempts,
        "progress": job.progress,
        "result": job.result,
        "error": job.error,
        "retry_of": job.retry_of,
        "cancel_requested": job.cancel_requested_at is not None,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def attempt_document(attempt: Attempt) -> dict[str, Any]:
    """The attempt as AttemptOut, ready for JSON."""
    return {
        "attempt": attempt.attempt,
        "outcome": attempt.outcome,
        "error": attempt.error,
        "ended_at": attempt.ended_at,
    }
