"""/v1/operator/index: how far the search index has drifted from PostgreSQL, and building it anew."""

import uuid
from datetime import datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from taskhub_api.answers import Answer, Write, repeat, to_json
from taskhub_api.dependencies import CurrentOperator, Db
from taskhub_api.routes.documented import problems
from taskhub_api.routes.job_models import JobOut
from taskhub_api.routes.jobs import accepted
from taskhub_core.jobs import service
from taskhub_core.jobs.kinds.search_reindex import ReindexMode
from taskhub_core.jobs.submit import NewJob, submit
from taskhub_core.search.reconcile import Reconciliation, latest

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/v1/operator/index", tags=["operators"])

_KIND = "search.reindex"


class ReconciliationOut(BaseModel):
    """What a comparison of PostgreSQL with the index found."""

    id: uuid.UUID
    index_name: str
    started_at: datetime
    finished_at: datetime
    documents_expected: int
    documents_found: int
    ranges_different: int = Field(description="Of 256, by count or checksum.")
    missing: int
    stale: int
    superfluous: int
    drift: int = Field(description="missing + stale + superfluous")
    repaired: int


class DriftOut(BaseModel):
    """The last comparison, if there was one."""

    reconciliation: ReconciliationOut | None


class ReindexIn(BaseModel):
    """How much to do."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"mode": "full"}]})

    mode: Annotated[
        ReindexMode, Field(description="full: a new index, put in the old one's place. repair: only what differs.")
    ] = ReindexMode.FULL


def _document(found: Reconciliation) -> dict[str, Any]:
    names = ReconciliationOut.model_fields
    return {name: getattr(found, name) for name in names}


@router.get("/drift", response_model=DriftOut, responses=problems(401, 403), summary="How the index differs")
async def get_drift(_operator: CurrentOperator, database: Db) -> Response:
    """What the last reconciliation found. `taskhub-sqs-consumer reconcile` makes another one; so does a repair."""
    found = await database.read(latest)
    content = {"reconciliation": None if found is None else _document(found)}
    return Response(to_json(content), media_type="application/json")


@router.post(
    "/reindex",
    status_code=202,
    response_model=JobOut,
    responses=problems(401, 403, 413, 415),
    summary="Build the index anew",
)
async def reindex(operator: CurrentOperator, write: Write, body: ReindexIn | None = None) -> Response:
    """Submits a `search.reindex` job, to be followed under /v1/jobs. Searches and writes go on meanwhile."""
    mode = (body or ReindexIn()).mode
    new = NewJob(account_id=operator.account_id, kind=_KIND, args={"mode": mode.value})

    def work(connection: Connection) -> Answer:
        submit(connection, [new])
        return accepted(service.get(connection, new.id, account_id=operator.account_id))

    response = await write.commit(work, account_id=operator.account_id, recover=repeat)
    log.info("operator asked for a reindex", operator=str(operator.account_id), mode=mode.value)
    return response
