"""A task as the index keeps it, and the checksum by which PostgreSQL and the index are compared."""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from taskhub_core.events.schema import TASK_CREATED, TASK_DELETED, TASK_UPDATED, Event
from taskhub_core.tasks.status import TaskStatus
from taskhub_core.tasks.task import Task

BUCKETS = tuple(f"{number:02x}" for number in range(256))
"""The ranges that are compared. The last digits of a version 7 UUID are random, so they are of equal size."""

CHECKSUM_SQL = "('x' || substr(md5(id::text || ':' || version::text), 1, 8))::bit(32)::bigint"
"""What `checksum` computes, for a row of tasks in PostgreSQL."""

BUCKET_SQL = "right(id::text, 2)"
"""What `bucket` computes, for a row of tasks in PostgreSQL."""


def checksum(task_id: uuid.UUID, version: int) -> int:
    """32 bits that change with the version. Sums of fewer than two million of them are exact in a double (2^53)."""
    digest = hashlib.md5(f"{task_id}:{version}".encode(), usedforsecurity=False)
    return int(digest.hexdigest()[:8], 16)


def bucket(task_id: uuid.UUID) -> str:
    """The range that the task is compared in."""
    return str(task_id)[-2:]


@dataclass(frozen=True, slots=True)
class Document:
    """What is written to the index for one version of a task."""

    task_id: uuid.UUID
    version: int
    source: dict[str, Any]


def live(task: Task) -> Document:
    """The document of a task that is there: all that answers show of it, so that a hit needs no second look."""
    return _live(task.as_document(), task.id, account_id=task.account_id, version=task.version)


def _live(content: dict[str, Any], task_id: uuid.UUID, *, account_id: uuid.UUID, version: int) -> Document:
    return Document(task_id, version, content | _identity(task_id, account_id, version) | {"deleted": False})


def tombstone(task_id: uuid.UUID, *, account_id: uuid.UUID, version: int, at: datetime) -> Document:
    """The document of a deleted task. It stays for a while, so that a late event cannot bring the task back."""
    source = _identity(task_id, account_id, version) | {"updated_at": at, "deleted": True}
    return Document(task_id, version, source)


def _identity(task_id: uuid.UUID, account_id: uuid.UUID, version: int) -> dict[str, Any]:
    return {
        "id": task_id,
        "account_id": account_id,
        "version": version,
        "bucket": bucket(task_id),
        "checksum": checksum(task_id, version),
    }


class TaskContent(BaseModel):
    """The part of a task event that tells of the task: what `Task.as_document` makes, read back and checked."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: str
    notes: str
    status: TaskStatus
    priority: Annotated[int, Field(ge=0, le=4)]
    due_at: AwareDatetime | None
    remind: bool
    tags: tuple[str, ...]
    external_id: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    completed_at: AwareDatetime | None

    def task(self, *, task_id: uuid.UUID, account_id: uuid.UUID, version: int) -> Task:
        """The task itself."""
        return Task(
            id=task_id,
            account_id=account_id,
            version=version,
            title=self.title,
            notes=self.notes,
            status=self.status,
            priority=self.priority,
            due_at=self.due_at,
            remind=self.remind,
            tags=self.tags,
            external_id=self.external_id,
            created_at=self.created_at,
            updated_at=self.updated_at,
            completed_at=self.completed_at,
        )


def from_event(event: Event) -> Document | None:
    """What the event changes in the index; None when it is not about a task. Raises pydantic.ValidationError."""
    if event.type == TASK_DELETED:
        return tombstone(
            event.subject_id, account_id=event.account_id, version=event.subject_version, at=event.occurred_at
        )
    if event.type in {TASK_CREATED, TASK_UPDATED}:
        content = vars(TaskContent.model_validate(event.data))
        return _live(content, event.subject_id, account_id=event.account_id, version=event.subject_version)
    return None


def from_hit(source: dict[str, Any]) -> Task:
    """The task that a live document was made of."""
    return TaskContent.model_validate(source).task(
        task_id=uuid.UUID(source["id"]), account_id=uuid.UUID(source["account_id"]), version=source["version"]
    )
