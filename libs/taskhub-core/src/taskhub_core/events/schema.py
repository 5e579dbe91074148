"""An event as it travels: what happened to what, once, with everything a consumer needs to act without asking back."""

import uuid
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from taskhub_core.ids import new_id
from taskhub_core.telemetry.context import outgoing

SCHEMA_VERSION: Final = 1

TASK_CREATED = "task.created"
TASK_UPDATED = "task.updated"
TASK_DELETED = "task.deleted"
JOB_SUCCEEDED = "job.succeeded"
JOB_DEAD = "job.dead"
JOB_CANCELLED = "job.cancelled"
EVENT_TYPES: Final = (TASK_CREATED, TASK_UPDATED, TASK_DELETED, JOB_SUCCEEDED, JOB_DEAD, JOB_CANCELLED)


class Event(BaseModel):
    """Schema version 1 of an event. A change that old consumers cannot read takes the next version."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = SCHEMA_VERSION
    event_id: uuid.UUID = Field(default_factory=new_id)
    type: str
    account_id: uuid.UUID
    subject_id: uuid.UUID = Field(description="The task or job that it happened to.")
    subject_version: int = Field(description="The version of the task after it; the attempt of the job.")
    summary: str = Field(max_length=500, description="One line for people.")
    occurred_at: AwareDatetime
    data: dict[str, Any] = Field(default_factory=dict, description="The task or job as it was after the change.")
    context: dict[str, str] = Field(default_factory=dict, description="request_id and traceparent.")


def event(
    type_: str,
    *,
    account_id: uuid.UUID,
    subject_id: uuid.UUID,
    version: int,
    summary: str,
    at: datetime,
    data: dict[str, Any],
) -> Event:
    """An event of now, in the present telemetry context."""
    # Our own values need no validation: that is for what comes in.
    return Event.model_construct(
        event_id=new_id(),
        type=type_,
        account_id=account_id,
        subject_id=subject_id,
        subject_version=version,
        summary=summary[:500],
        occurred_at=at,
        data=data,
        context=outgoing(),
    )
