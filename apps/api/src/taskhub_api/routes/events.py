"""/v1/events: what happened in the account, as the consumer recorded it."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from taskhub_api.answers import to_json
from taskhub_api.dependencies import CurrentCaller, Cursor, Db, Limit
from taskhub_api.routes.documented import problems
from taskhub_core.events.activity import ActivityEntry, list_activity
from taskhub_core.events.schema import EVENT_TYPES

router = APIRouter(prefix="/v1/events", tags=["events"])

EventType = Literal["task.created", "task.updated", "task.deleted", "job.succeeded", "job.dead", "job.cancelled"]


class EventOut(BaseModel):
    """Something that happened."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0190c5a8-6d1e-7000-8000-000000000000",
                    "type": "task.created",
                    "subject_id": "0190c5a8-6d1e-7000-8000-000000000001",
                    "summary": "Task created: Rotate the signing keys",
                    "occurred_at": "2026-01-05T09:30:00Z",
                }
            ]
        }
    )

    id: uuid.UUID = Field(description="The event's id, also in webhook deliveries.")
    type: str
    subject_id: uuid.UUID = Field(description="The task or job that it happened to.")
    summary: str
    occurred_at: datetime


class EventListOut(BaseModel):
    """A page of the feed."""

    items: list[EventOut]
    next_cursor: str | None


def _document(entry: ActivityEntry) -> dict[str, Any]:
    return {
        "id": entry.event_id,
        "type": entry.type,
        "subject_id": entry.subject_id,
        "summary": entry.summary,
        "occurred_at": entry.occurred_at,
    }


@router.get("", response_model=EventListOut, responses=problems(401), summary="List events")
async def list_events(
    caller: CurrentCaller,
    database: Db,
    type: Annotated[  # noqa: A002 - the name in the URL
        list[EventType], Query(max_length=len(EVENT_TYPES), description="One or several types; none: all.")
    ] = [],  # noqa: B006 - FastAPI copies it
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The account's activity feed, newest first.

    The feed follows the changes, usually within a second; while the event queue is away it lags, and catches up.
    """
    page = await database.read(
        lambda connection: list_activity(connection, caller.account_id, types=type, limit=limit, cursor=cursor)
    )
    content = {"items": [_document(entry) for entry in page.entries], "next_cursor": page.next_cursor}
    return Response(to_json(content), media_type="application/json")
