"""A stored task, and the one JSON form of it that answers, events and the search index share."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from taskhub_core.tasks.status import TaskStatus


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it is in PostgreSQL."""

    id: uuid.UUID
    account_id: uuid.UUID
    title: str
    notes: str
    status: TaskStatus
    priority: int
    due_at: datetime | None
    remind: bool
    tags: tuple[str, ...]
    external_id: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None

    def as_document(self) -> dict[str, Any]:
        """The task as clients see it; times are datetimes (RFC 3339 once encoded as JSON)."""
        return {
            "id": self.id,
            "title": self.title,
            "notes": self.notes,
            "status": self.status.value,
            "priority": self.priority,
            "due_at": self.due_at,
            "remind": self.remind,
            "tags": self.tags,
            "external_id": self.external_id,
            "version": self.version,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "completed_at": self.completed_at,
        }


COLUMNS = (
    "id, account_id, title, notes, status, priority, due_at, remind, tags, external_id, version, created_at, "
    "updated_at, completed_at"
)


def from_row(row: Row[Any]) -> Task:
    """A row that has at least COLUMNS, as a Task."""
    values = row._mapping
    return Task(
        id=values["id"],
        account_id=values["account_id"],
        title=values["title"],
        notes=values["notes"],
        status=TaskStatus(values["status"]),
        priority=values["priority"],
        due_at=values["due_at"],
        remind=values["remind"],
        tags=tuple(values["tags"]),
        external_id=values["external_id"],
        version=values["version"],
        created_at=values["created_at"],
        updated_at=values["updated_at"],
        completed_at=values["completed_at"],
    )


def from_tuple(values: tuple[Any, ...]) -> Task:
    """The columns of COLUMNS, which are the fields of a Task in their order."""
    fields = list(values)
    fields[4], fields[8] = TaskStatus(fields[4]), tuple(fields[8])
    return Task(*fields)
