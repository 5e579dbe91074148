"""/v1/operator/dlq: events that could not be processed, and sending them back."""

from datetime import datetime
from typing import Annotated, Any

import orjson
import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from taskhub_api.answers import Answer, Write, to_json
from taskhub_api.dead_letters import DeadLetters
from taskhub_api.dependencies import CurrentOperator
from taskhub_api.routes.documented import problems
from taskhub_core.events.queue import Message, RedriveMethod

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/v1/operator/dlq", tags=["operators"])

_BODY_CHARS = 4_000


class DeadLetterOut(BaseModel):
    """A message of the dead-letter queue."""

    id: str
    sent_at: datetime
    receive_count: int = Field(description="How often it was received, looks included.")
    reason: str | None = Field(
        description="Why the consumer moved it here; null when SQS did, after too many receives."
    )
    detail: str | None
    event_id: str | None = Field(description="As the message says, if it can be read.")
    type: str | None
    body: str = Field(description="Its first 4,000 characters.")
    size: int = Field(description="Characters of the whole body.")


class DeadLettersOut(BaseModel):
    """Some messages; which ones is SQS's choice. They stay where they are."""

    items: list[DeadLetterOut]
    messages: int = Field(description="How many there are, about.")
    in_flight: int = Field(description="How many somebody looks at or moves right now, about.")


class RedriveIn(BaseModel):
    """How many to send back."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[
        int,
        Field(ge=1, le=10_000, description="At most so many, where SQS cannot move them by itself.", examples=[1_000]),
    ] = 1_000


class RedriveOut(BaseModel):
    """What the redrive did, or set going."""

    method: RedriveMethod = Field(description="move_task: SQS moves them by itself, from now on.")
    moved: int = Field(description="How many were moved, or are expected to be.")


async def _dead_letters(request: Request) -> DeadLetters:
    found: DeadLetters = request.app.state.dead_letters
    return found


Letters = Annotated[DeadLetters, Depends(_dead_letters)]


def _document(message: Message) -> dict[str, Any]:
    said = _said(message.body)
    return {
        "id": message.id,
        "sent_at": message.sent_at,
        "receive_count": message.receive_count,
        "reason": message.reason,
        "detail": message.detail,
        "event_id": said.get("event_id"),
        "type": said.get("type"),
        "body": message.body[:_BODY_CHARS],
        "size": len(message.body),
    }


def _said(body: str) -> dict[str, str]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: value for name in ("event_id", "type") if isinstance(value := content.get(name), str)}


@router.get("", response_model=DeadLettersOut, responses=problems(401, 403), summary="Look into the DLQ")
async def peek(
    _operator: CurrentOperator,
    letters: Letters,
    limit: Annotated[int, Query(ge=1, le=50, description="How many to look at.")] = 10,
) -> Response:
    """Looks at some messages without taking them out. SQS counts a look as a receive."""
    messages = await letters.peek(limit=limit)
    counts = await letters.counts()
    content = {
        "items": [_document(message) for message in messages],
        "messages": counts.visible,
        "in_flight": counts.in_flight,
    }
    return Response(to_json(content), media_type="application/json")


@router.post(
    "/redrive",
    status_code=202,
    response_model=RedriveOut,
    responses=problems(401, 403, 413, 415),
    summary="Send the DLQ's messages back",
)
async def redrive(operator: CurrentOperator, letters: Letters, write: Write, body: RedriveIn | None = None) -> Response:
    """Moves messages back to the queue of events. Doing so twice is harmless: each event takes effect once."""

    limit = (body or RedriveIn()).limit

    async def act() -> Answer:
        moved = await letters.redrive(limit=limit)
        log.info("operator redrove the DLQ", operator=str(operator.account_id), moved=moved.moved)
        return Answer(202, {"method": moved.method.value, "moved": moved.moved})

    return await write.act(act, account_id=operator.account_id)
