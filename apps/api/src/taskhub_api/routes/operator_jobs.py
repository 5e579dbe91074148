"""/v1/operator/jobs: dead jobs of every account, each with what went wrong, and their replay."""

import uuid
from typing import Annotated, Any, Self

import structlog
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection

from taskhub_api.answers import Answer, Write, repeat, to_json
from taskhub_api.dependencies import CurrentOperator, Db, Limit
from taskhub_api.routes.documented import problems
from taskhub_api.routes.job_models import KIND_PATTERN, AttemptOut, JobOut, attempt_document, job_document
from taskhub_core.errors import Conflict
from taskhub_core.ids import new_id
from taskhub_core.jobs import replay, service
from taskhub_core.jobs.service import Job
from taskhub_core.jobs.states import JobState

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/v1/operator/jobs", tags=["operators"])


class OperatorJobOut(JobOut):
    """A job with what operators see of it beside."""

    account_id: uuid.UUID
    worker: str | None = Field(description="Who has it, or had it last.")
    context: dict[str, str] = Field(description="request_id and traceparent of the request it came from.")


class OperatorAttemptOut(AttemptOut):
    """An attempt, with its worker."""

    worker: str | None


class InspectedJobOut(OperatorJobOut):
    """A job with every attempt that did not succeed."""

    failed_attempts: list[OperatorAttemptOut]


class DeadJobsOut(BaseModel):
    """A page of dead jobs."""

    items: list[OperatorJobOut]
    next_cursor: uuid.UUID | None


class ReplayIn(BaseModel):
    """Which dead jobs to replay: these, or the oldest of a kind."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"job_ids": ["0190c5a8-6d1e-7000-8000-000000000000"]},
                {"kind": "webhook.deliver", "limit": 500},
            ]
        },
    )

    job_ids: Annotated[list[uuid.UUID] | None, Field(min_length=1, max_length=replay.MOST_AT_ONCE)] = None
    kind: Annotated[str | None, Field(pattern=KIND_PATTERN)] = None
    limit: Annotated[int, Field(ge=1, le=replay.MOST_AT_ONCE, description="With `kind` only.")] = replay.MOST_AT_ONCE

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.job_ids is None) == (self.kind is None):
            raise ValueError("name either job_ids or kind")
        return self


class ReplayedOut(BaseModel):
    """A dead job and its replay."""

    job_id: uuid.UUID
    new_job_id: uuid.UUID


class SkippedOut(BaseModel):
    """A job that was not replayed."""

    job_id: uuid.UUID
    reason: str


class ReplayOut(BaseModel):
    """What became of each job."""

    replayed: list[ReplayedOut]
    skipped: list[SkippedOut]


def _document(job: Job) -> dict[str, Any]:
    return {**job_document(job), "account_id": job.account_id, "worker": job.worker, "context": job.context}


@router.get("/dead", response_model=DeadJobsOut, responses=problems(401, 403), summary="List dead jobs")
async def list_dead_jobs(
    _operator: CurrentOperator,
    database: Db,
    kind: Annotated[str | None, Query(pattern=KIND_PATTERN, description="Only jobs of this kind.")] = None,
    not_replayed: Annotated[bool, Query(description="Only jobs that nobody has replayed or retried.")] = False,
    limit: Limit = 50,
    cursor: Annotated[uuid.UUID | None, Query(description="`next_cursor` of the page before.")] = None,
) -> Response:
    """A page of the dead jobs of all accounts, new ones first."""

    def work(connection: Connection) -> dict[str, Any]:
        found = replay.list_dead(connection, limit=limit + 1, kind=kind, before=cursor, not_replayed=not_replayed)
        return {
            "items": [_document(job) for job in found[:limit]],
            "next_cursor": found[limit - 1].id if len(found) > limit else None,
        }

    return Response(to_json(await database.read(work)), media_type="application/json")


@router.get(
    "/{job_id:uuid}", response_model=InspectedJobOut, responses=problems(401, 403, 404), summary="Inspect a job"
)
async def inspect_job(job_id: uuid.UUID, _operator: CurrentOperator, database: Db) -> Response:
    """A job of any account, with every attempt that did not succeed."""

    def work(connection: Connection) -> dict[str, Any]:
        job = service.get(connection, job_id, account_id=None)
        attempts = service.attempts(connection, job_id)
        failed = [{**attempt_document(attempt), "worker": attempt.worker} for attempt in attempts]
        return {**_document(job), "failed_attempts": failed}

    return Response(to_json(await database.read(work)), media_type="application/json")


@router.post(
    "/{job_id}/replay",
    status_code=202,
    response_model=OperatorJobOut,
    responses=problems(401, 403, 404, 409),
    summary="Replay a dead job",
)
async def replay_job(job_id: uuid.UUID, operator: CurrentOperator, write: Write) -> Response:
    """Submits the dead job again, for its own account, as a new job whose `retry_of` names it."""
    again = new_id()

    def work(connection: Connection) -> Answer:
        dead = service.get(connection, job_id, account_id=None)
        if dead.state is not JobState.DEAD:
            raise Conflict(f"The job {job_id} is {dead.state.value}; operators replay dead jobs only.")
        job = service.retry(connection, job_id, account_id=None, new_job_id=again)
        return Answer(202, _document(job), {"Location": f"/v1/operator/jobs/{job.id}"})

    response = await write.commit(work, account_id=operator.account_id, recover=repeat)
    log.info("operator replayed a job", operator=str(operator.account_id), job_id=str(job_id))
    return response


@router.post(
    "/replay",
    status_code=202,
    response_model=ReplayOut,
    responses=problems(401, 403, 413, 415),
    summary="Replay many dead jobs",
)
async def replay_jobs(body: ReplayIn, operator: CurrentOperator, write: Write) -> Response:
    """Submits up to 500 dead jobs again, each at most once this way: what was replayed in bulk before is skipped."""

    def work(connection: Connection) -> Answer:
        job_ids = body.job_ids
        if job_ids is None:
            assert body.kind is not None
            job_ids = replay.dead_of_kind(connection, body.kind, limit=body.limit)
        outcome = replay.replay(connection, job_ids)
        return Answer(202, {"replayed": outcome.replayed, "skipped": outcome.skipped})

    response = await write.commit(work, account_id=operator.account_id, recover=repeat)
    log.info("operator replayed jobs", operator=str(operator.account_id), kind=body.kind, asked=len(body.job_ids or ()))
    return response
