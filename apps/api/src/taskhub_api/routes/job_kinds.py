"""/v1/job-kinds: which jobs there are, and what arguments they take."""

import inspect
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from taskhub_api.answers import to_json
from taskhub_api.dependencies import CurrentCaller
from taskhub_api.routes.documented import problems
from taskhub_core.jobs.registry import JobKind, registry

router = APIRouter(prefix="/v1/job-kinds", tags=["jobs"])


class JobKindOut(BaseModel):
    """A kind of job."""

    kind: str = Field(examples=["tasks.export"])
    summary: str
    submitted_by: str = Field(description="user (anybody), operator, or system (only TaskHub itself).")
    args_schema: dict[str, Any] = Field(description="JSON Schema of `args`.")
    max_attempts: int
    limit_seconds: float = Field(description="An attempt that takes longer is stopped.")
    concurrency_limit: int | None = Field(description="How many of them run at a time, over all accounts.")


class JobKindsOut(BaseModel):
    """Every kind of job, by name."""

    items: list[JobKindOut]


@router.get("", response_model=JobKindsOut, responses=problems(401), summary="List the kinds of jobs")
async def list_job_kinds(_caller: CurrentCaller) -> Response:
    """Every kind of job, with the JSON Schema of its arguments."""
    return Response(to_json({"items": [_document(kind) for kind in registry.all()]}), media_type="application/json")


def _document(kind: JobKind[Any]) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "summary": (inspect.getdoc(kind.handler) or "").partition("\n")[0],
        "submitted_by": kind.submitted_by,
        "args_schema": kind.args.model_json_schema(),
        "max_attempts": kind.retry.max_attempts,
        "limit_seconds": kind.soft_limit_seconds,
        "concurrency_limit": kind.concurrency_limit,
    }
