"""/v1/jobs: submit, get, list, cancel, retry, and what went wrong at each attempt."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from taskhub_api.answers import Answer, Write, repeat, to_json
from taskhub_api.cursors import next_cursor, read_cursor
from taskhub_api.database import Database
from taskhub_api.dependencies import CurrentCaller, Cursor, Db, Limit
from taskhub_api.job_arguments import check_arguments
from taskhub_api.problems import Problem
from taskhub_api.routes.documented import problems
from taskhub_api.routes.job_models import (
    KIND_PATTERN,
    AttemptsOut,
    JobIn,
    JobListOut,
    JobOut,
    attempt_document,
    job_document,
)
from taskhub_api.security.access_tokens import Caller
from taskhub_api.shortcuts import Creates, Reads, Shortcut
from taskhub_core.accounts.models import Role
from taskhub_core.ids import new_id
from taskhub_core.jobs import service
from taskhub_core.jobs.registry import registry
from taskhub_core.jobs.service import Job
from taskhub_core.jobs.states import JobState
from taskhub_core.jobs.submit import NewJob

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_SUBMITTERS = {"user": frozenset({Role.USER, Role.OPERATOR}), "operator": frozenset({Role.OPERATOR})}


def new_job(body: JobIn, caller: Caller) -> NewJob:
    """The job that a body asks for. Raises UnknownKind, and Problem forbidden or invalid."""
    kind = registry.get(body.kind)
    if caller.role not in _SUBMITTERS.get(kind.submitted_by, frozenset()):
        raise Problem("forbidden", f"Jobs of kind {kind.name} are submitted by {_whom(kind.submitted_by)} only.")
    return NewJob(
        id=body.job_id or new_id(),
        account_id=caller.account_id,
        kind=kind.name,
        args=check_arguments(kind, body.args),
        run_at=body.run_at,
        priority=body.priority,
    )


def _whom(submitted_by: str) -> str:
    return "operators" if submitted_by == "operator" else "TaskHub itself"


def accepted(job: Job) -> Answer:
    """The answer to a job that was taken."""
    return Answer(202, job_document(job), {"Location": f"/v1/jobs/{job.id}"})


@router.post(
    "", status_code=202, response_model=JobOut, responses=problems(401, 403, 409, 413, 415), summary="Submit a job"
)
async def submit_job(body: JobIn, caller: CurrentCaller, write: Write) -> Response:
    """Takes a job to be run in the background.

    It runs at least once and takes effect effectively once: a worker that dies is replaced, and what it wrote is
    either whole or not there. Repeating the request with the same `job_id`, or the same Idempotency-Key, is safe.
    """
    new = new_job(body, caller)

    def work(connection: Connection) -> Answer:
        return accepted(service.submit_and_get(connection, new))

    return await write.commit(work, account_id=caller.account_id, recover=repeat)


@router.get("", response_model=JobListOut, responses=problems(401), summary="List jobs")
async def list_jobs(
    caller: CurrentCaller,
    database: Db,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
    kind: Annotated[str | None, Query(pattern=KIND_PATTERN, description="Only jobs of this kind.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """A page of the account's jobs, newest first. Reminders and other jobs that TaskHub made itself are among them."""
    before = read_cursor(cursor)

    def work(connection: Connection) -> dict[str, Any]:
        found = service.list_jobs(
            connection, account_id=caller.account_id, limit=limit + 1, state=state, kind=kind, before=before
        )
        places = [(job.created_at, job.id) for job in found]
        return {
            "items": [job_document(job) for job in found[:limit]],
            "next_cursor": next_cursor(places, limit=limit),
        }

    return Response(to_json(await database.read(work)), media_type="application/json")


@router.get("/{job_id}", response_model=JobOut, responses=problems(401, 404), summary="Get a job")
async def get_job(job_id: uuid.UUID, caller: CurrentCaller, request: Request) -> Response:
    """The job as it is now."""
    database: Database = request.app.state.database
    job = await database.read(lambda connection: service.get(connection, job_id, account_id=caller.account_id))
    return Answer(200, job_document(job)).response()


@router.get(
    "/{job_id}/attempts",
    response_model=AttemptsOut,
    responses=problems(401, 404),
    summary="Get a job's failed attempts",
)
async def get_attempts(job_id: uuid.UUID, caller: CurrentCaller, database: Db) -> Response:
    """Every attempt that did not succeed, with its error."""

    def work(connection: Connection) -> dict[str, Any]:
        service.get(connection, job_id, account_id=caller.account_id)
        return {"items": [attempt_document(attempt) for attempt in service.attempts(connection, job_id)]}

    return Response(to_json(await database.read(work)), media_type="application/json")


@router.post(
    "/{job_id}/cancel",
    status_code=202,
    response_model=JobOut,
    responses=problems(401, 404, 409),
    summary="Cancel a job",
)
async def cancel_job(job_id: uuid.UUID, caller: CurrentCaller, write: Write) -> Response:
    """Cancels a job that waits at once, and asks one that runs to stop (`cancel_requested`). Repeating it is harmless.

    A job that runs may still succeed, when it was all but done.
    """

    def work(connection: Connection) -> Answer:
        service.cancel(connection, job_id, account_id=caller.account_id)
        return Answer(202, job_document(service.get(connection, job_id, account_id=caller.account_id)))

    return await write.commit(work, account_id=caller.account_id, recover=repeat)


@router.post(
    "/{job_id}/retry",
    status_code=202,
    response_model=JobOut,
    responses=problems(401, 404, 409),
    summary="Retry a dead or cancelled job",
)
async def retry_job(job_id: uuid.UUID, caller: CurrentCaller, write: Write) -> Response:
    """Submits the job again as a new one, whose `retry_of` names the old one. The old one stays as it is."""
    again = new_id()

    def work(connection: Connection) -> Answer:
        return accepted(service.retry(connection, job_id, account_id=caller.account_id, new_job_id=again))

    return await write.commit(work, account_id=caller.account_id, recover=repeat)


SHORTCUTS: tuple[Shortcut, ...] = (Creates(JobIn, submit_job), Reads(get_job))
