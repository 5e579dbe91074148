"""Pages of an account's tasks: filters, four sort orders, and keyset cursors that cost the same at any depth."""

import base64
import enum
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, tuple_

from taskhub_core.errors import InvalidInput
from taskhub_core.tasks.formats.draft import PRIORITY_URGENT
from taskhub_core.tasks.models import tasks
from taskhub_core.tasks.status import TaskStatus
from taskhub_core.tasks.task import Task, from_row

PRIORITIES = range(PRIORITY_URGENT + 1)


class Sort(enum.StrEnum):
    """The order of a list; a minus sign turns it round. Tasks without a due time count as due after all others."""

    NEWEST = "-created"
    OLDEST = "created"
    DUE = "due_at"
    DUE_LAST = "-due_at"
    PRIORITY = "-priority"
    PRIORITY_LOWEST = "priority"
    UPDATED = "-updated_at"
    UPDATED_FIRST = "updated_at"


_COLUMN = {
    "created": tasks.c.id,
    "due_at": tasks.c.due_at,
    "priority": tasks.c.priority,
    "updated_at": tasks.c.updated_at,
}


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks to list; an empty filter means all of them."""

    statuses: tuple[TaskStatus, ...] = ()
    tags: tuple[str, ...] = ()
    """Tasks that have every one of them."""
    priorities: tuple[int, ...] = ()
    due_from: datetime | None = None
    due_before: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL."""
        found: list[ColumnElement[bool]] = []
        if self.statuses:
            found.append(tasks.c.status.in_([status.value for status in self.statuses]))
        if self.tags:
            found.append(tasks.c.tags.contains(list(self.tags)))
        if self.priorities:
            found.append(tasks.c.priority.in_(self.priorities))
        if self.due_from is not None:
            found.append(tasks.c.due_at >= self.due_from)
        if self.due_before is not None:
            found.append(tasks.c.due_at < self.due_before)
        return found


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Some tasks, and the cursor of the page after them (None at the end)."""

    tasks: list[Task]
    next_cursor: str | None


_COLUMNS = [column for column in tasks.c if column.name not in {"search_text", "deleted_at"}]


def list_tasks(
    connection: Connection,
    account_id: uuid.UUID,
    *,
    filter_: TaskFilter = TaskFilter(),
    sort: Sort = Sort.NEWEST,
    limit: int = 50,
    cursor: str | None = None,
) -> TaskPage:
    """One page. Raises InvalidInput for a cursor that is damaged or of another sort order."""
    name, descending = sort.value.lstrip("-"), sort.value.startswith("-")
    column = _COLUMN[name]
    query = select(*_COLUMNS).where(
        tasks.c.account_id == account_id, tasks.c.deleted_at.is_(None), *filter_.conditions()
    )
    if cursor is not None:
        query = query.where(_after(column, _read_cursor(cursor, sort), descending=descending))
    # NULLs of due_at stand where the index on it has them: last when ascending, first when descending.
    order = [column.desc(), tasks.c.id.desc()] if descending else [column.asc(), tasks.c.id.asc()]
    rows = connection.execute(query.order_by(*order).limit(limit + 1)).all()
    page = [from_row(row) for row in rows[:limit]]
    next_cursor = _write_cursor(page[-1], name, sort) if len(rows) > limit else None
    return TaskPage(page, next_cursor)


def count_tasks(connection: Connection, account_id: uuid.UUID, *, filter_: TaskFilter = TaskFilter()) -> int:
    """How many tasks a list without a limit would have."""
    query = select(func.count()).where(
        tasks.c.account_id == account_id, tasks.c.deleted_at.is_(None), *filter_.conditions()
    )
    return connection.execute(query).scalar_one()


def _after(column: ColumnElement[Any], last: tuple[Any, uuid.UUID], *, descending: bool) -> ColumnElement[bool]:
    value, task_id = last
    key = tuple_(column, tasks.c.id)
    if value is None:
        if descending:
            return or_(and_(column.is_(None), tasks.c.id < task_id), column.is_not(None))
        return and_(column.is_(None), tasks.c.id > task_id)
    if descending:
        return key < (value, task_id)
    rest = key > (value, task_id)
    return or_(rest, column.is_(None)) if column is tasks.c.due_at else rest


def _write_cursor(last: Task, name: str, sort: Sort) -> str:
    value = None if name == "created" else getattr(last, name)
    content = orjson.dumps([sort.value, value, last.id])
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _read_place(name: str, value: Any, last: uuid.UUID) -> Any:
    if name == "created":
        return last
    if name == "priority":
        if value not in PRIORITIES:
            raise ValueError("not a priority")
        return int(value)
    if value is None and name == "due_at":
        return None
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError("a time without its zone")
    return time


def _read_cursor(cursor: str, sort: Sort) -> tuple[Any, uuid.UUID]:
    try:
        content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        written_for, value, task_id = orjson.loads(content)
        last = uuid.UUID(task_id)
        if written_for != sort.value:
            raise ValueError("of another sort order")
        return _read_place(sort.value.lstrip("-"), value, last), last
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(
            "The cursor is not one that this list gave out for this sort order. Start again without it.", field="cursor"
        ) from error
