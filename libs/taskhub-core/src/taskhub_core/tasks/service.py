"""What can be done with tasks. Each change commits with the event that tells of it, and with its reminder."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from taskhub_core.database import driver
from taskhub_core.database.failures import constraint_name
from taskhub_core.database.idempotency import STORE, Kept
from taskhub_core.errors import Conflict, NotFound, VersionMismatch
from taskhub_core.events import outbox
from taskhub_core.events.schema import TASK_CREATED, TASK_DELETED, TASK_UPDATED, Event, event
from taskhub_core.ids import derived_id, new_id
from taskhub_core.jobs.submit import NewJob, submit
from taskhub_core.tasks.formats.draft import TaskDraft
from taskhub_core.tasks.status import TaskStatus
from taskhub_core.tasks.task import COLUMNS, Task, from_row, from_tuple

REMINDER_KIND = "task.reminder"


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to be stored."""

    draft: TaskDraft
    remind: bool = False
    id: uuid.UUID = field(default_factory=new_id)


# One statement for any number of tasks: the rows come as one JSON array, which PostgreSQL reads into typed columns.
_INSERT = text(
    """
    INSERT INTO tasks (id, account_id, title, notes, status, priority, due_at, remind, tags, external_id,
                       created_at, updated_at, completed_at)
    SELECT id, :account_id, title, notes, status, priority, due_at, remind, tags, external_id,
           created_at, updated_at, completed_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS new (
        id uuid, title text, notes text, status text, priority smallint, due_at timestamptz, remind boolean,
        tags text[], external_id text, created_at timestamptz, updated_at timestamptz, completed_at timestamptz)
    """
)


def create(connection: Connection, account_id: uuid.UUID, new_tasks: Sequence[NewTask]) -> list[Task]:
    """Stores the tasks and returns them, in order. Raises Conflict when one of their external ids is taken."""
    now = datetime.now(UTC)
    created = [_task(account_id, new, now) for new in new_tasks]
    rows = orjson.dumps([task.as_document() for task in created]).decode()
    with _conflicts_named():
        connection.execute(_INSERT, {"account_id": account_id, "rows": rows})
    record_changes(connection, [(TASK_CREATED, task) for task in created])
    return created


@contextmanager
def _conflicts_named() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if constraint_name(error) != "uq_tasks_account_id_external_id":
            raise
        raise Conflict("Another task has one of these external ids.") from error


@dataclass(frozen=True, slots=True)
class Creation:
    """A task that is ready to be stored, and the event of it. PostgreSQL adds nothing to them."""

    task: Task
    event: Event


def prepare(account_id: uuid.UUID, new: NewTask) -> Creation:
    """The task as it will be stored."""
    task = _task(account_id, new, datetime.now(UTC))
    return Creation(task, _event(TASK_CREATED, task))


# The event holds the whole task, so it is the only parameter, and one round trip stores both (and the answer).
_CREATE = """
    stored AS (
        INSERT INTO tasks (id, account_id, title, notes, status, priority, due_at, remind, tags, external_id,
                           created_at, updated_at, completed_at)
        SELECT new.id, CAST(event ->> 'account_id' AS uuid), title, notes, status, priority, due_at, remind, tags,
               external_id, created_at, updated_at, completed_at
        FROM created, jsonb_to_record(event -> 'data') AS new (
            id uuid, title text, notes text, status text, priority smallint, due_at timestamptz, remind boolean,
            tags text[], external_id text, created_at timestamptz, updated_at timestamptz, completed_at timestamptz)
    )
    INSERT INTO outbox (id, message) SELECT CAST(event ->> 'event_id' AS uuid), event FROM created
"""
_CREATE_ONE = f"WITH created AS (SELECT CAST(%(event)s AS jsonb) AS event), {_CREATE}"
_CREATE_ONE_KEPT = f"""
    WITH kept AS ({STORE} RETURNING 1), created AS (SELECT CAST(%(event)s AS jsonb) AS event FROM kept), {_CREATE}
"""  # noqa: S608 - constants


def create_one(connection: Connection, creation: Creation, kept: Kept | None) -> bool:
    """Stores the task and its event, and the answer to keep under a key, in one statement.

    False, and nothing is stored, when the key was taken. Raises Conflict when the external id is taken.
    """
    parameters = {"event": orjson.dumps(creation.event.__dict__).decode()}
    with _conflicts_named():
        if kept is None:
            touched = driver.execute(connection, _CREATE_ONE, parameters)
        else:
            touched = driver.execute(connection, _CREATE_ONE_KEPT, {**parameters, **kept.parameters()})
    stored = touched == 1
    if stored:
        _remind(connection, [creation.task])
    return stored


def _task(account_id: uuid.UUID, new: NewTask, now: datetime) -> Task:
    draft = new.draft
    completed_at = (draft.completed_at or now) if draft.status is TaskStatus.DONE else None
    return Task(
        id=new.id,
        account_id=account_id,
        title=draft.title,
        notes=draft.notes,
        status=draft.status,
        priority=draft.priority,
        due_at=draft.due_at,
        remind=new.remind,
        tags=draft.tags,
        external_id=draft.external_id,
        version=1,
        created_at=draft.created_at or now,
        updated_at=now,
        completed_at=completed_at,
    )


_GET = f"SELECT {COLUMNS} FROM tasks WHERE id = %(id)s AND account_id = %(account_id)s AND deleted_at IS NULL"  # noqa: S608


def get(connection: Connection, account_id: uuid.UUID, task_id: uuid.UUID) -> Task:
    """The task. Raises NotFound, also for other accounts' tasks."""
    row = driver.fetch_one(connection, _GET, {"id": task_id, "account_id": account_id})
    if row is None:
        raise NotFound(f"There is no task {task_id}.")
    return from_tuple(row)


@dataclass(frozen=True, slots=True)
class TaskPatch:
    """The fields to change; a field that is absent from `values` stays as it is."""

    values: Mapping[str, Any]

    CHANGEABLE = frozenset({"title", "notes", "status", "priority", "due_at", "remind", "tags"})


# The new values come as one JSON object: a key that is there is set, to null too; a missing key keeps the column.
_UPDATE = text(
    f"""
    UPDATE tasks SET
        title = CASE WHEN patch ? 'title' THEN patch ->> 'title' ELSE title END,
        notes = CASE WHEN patch ? 'notes' THEN patch ->> 'notes' ELSE notes END,
        status = CASE WHEN patch ? 'status' THEN patch ->> 'status' ELSE status END,
        priority = CASE WHEN patch ? 'priority' THEN CAST(patch ->> 'priority' AS smallint) ELSE priority END,
        due_at = CASE WHEN patch ? 'due_at' THEN CAST(patch ->> 'due_at' AS timestamptz) ELSE due_at END,
        remind = CASE WHEN patch ? 'remind' THEN CAST(patch ->> 'remind' AS boolean) ELSE remind END,
        tags = CASE WHEN patch ? 'tags' THEN ARRAY(SELECT jsonb_array_elements_text(patch -> 'tags')) ELSE tags END,
        completed_at = CASE
            WHEN coalesce(patch ->> 'status', status) <> 'done' THEN NULL
            ELSE coalesce(completed_at, :now)
        END,
        version = version + 1,
        updated_at = greatest(:now, updated_at)
    FROM (SELECT CAST(:patch AS jsonb) AS patch) AS change
    WHERE id = :id AND account_id = :account_id AND deleted_at IS NULL
      AND (CAST(:expected AS bigint) IS NULL OR version = :expected)
    RETURNING {COLUMNS}
    """  # noqa: S608 - no value is formatted in
)


def update(
    connection: Connection, account_id: uuid.UUID, task_id: uuid.UUID, patch: TaskPatch, *, expected_version: int | None
) -> Task:
    """Changes the task, if it is still at the expected version (None: whatever it is).

    Raises NotFound and VersionMismatch.
    """
    parameters = {
        "id": task_id,
        "account_id": account_id,
        "patch": orjson.dumps(dict(patch.values)).decode(),
        "expected": expected_version,
        "now": datetime.now(UTC),
    }
    row = connection.execute(_UPDATE, parameters).one_or_none()
    if row is None:
        raise _not_there_or_changed(connection, account_id, task_id)
    task = from_row(row)
    record_changes(connection, [(TASK_UPDATED, task)])
    return task


_DELETE = text(
    f"""
    UPDATE tasks SET deleted_at = :now, updated_at = greatest(:now, updated_at), version = version + 1
    WHERE id = :id AND account_id = :account_id AND deleted_at IS NULL
      AND (CAST(:expected AS bigint) IS NULL OR version = :expected)
    RETURNING {COLUMNS}
    """  # noqa: S608 - no value is formatted in
)


def delete(connection: Connection, account_id: uuid.UUID, task_id: uuid.UUID, *, expected_version: int | None) -> None:
    """Deletes the task, if it is still at the expected version. Its row stays for a while as a tombstone.

    Raises NotFound and VersionMismatch.
    """
    parameters = {"id": task_id, "account_id": account_id, "expected": expected_version, "now": datetime.now(UTC)}
    row = connection.execute(_DELETE, parameters).one_or_none()
    if row is None:
        raise _not_there_or_changed(connection, account_id, task_id)
    record_changes(connection, [(TASK_DELETED, from_row(row))])


def _not_there_or_changed(connection: Connection, account_id: uuid.UUID, task_id: uuid.UUID) -> Exception:
    current = get(connection, account_id, task_id).version
    return VersionMismatch(
        f"The task {task_id} is at version {current} by now. Read it again and repeat your change.", current=current
    )


# A file that is imported again updates what it made before; a row that would not change stays at its version.
_UPSERT = text(
    f"""
    INSERT INTO tasks AS old (id, account_id, title, notes, status, priority, due_at, tags, external_id,
                              created_at, updated_at, completed_at)
    SELECT id, :account_id, title, notes, status, priority, due_at, tags, external_id,
           created_at, updated_at, completed_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS new (
        id uuid, title text, notes text, status text, priority smallint, due_at timestamptz, tags text[],
        external_id text, created_at timestamptz, updated_at timestamptz, completed_at timestamptz)
    ON CONFLICT (account_id, external_id) WHERE external_id IS NOT NULL AND deleted_at IS NULL DO UPDATE SET
        title = excluded.title, notes = excluded.notes, status = excluded.status, priority = excluded.priority,
        due_at = excluded.due_at, tags = excluded.tags, completed_at = excluded.completed_at,
        updated_at = greatest(excluded.updated_at, old.updated_at), version = old.version + 1
    WHERE (old.title, old.notes, old.status, old.priority, old.due_at, old.tags)
        IS DISTINCT FROM
          (excluded.title, excluded.notes, excluded.status, excluded.priority, excluded.due_at, excluded.tags)
    RETURNING {COLUMNS}
    """  # noqa: S608 - no value is formatted in
)


@dataclass(frozen=True, slots=True)
class Upserted:
    """What an upsert did, in numbers."""

    created: int
    updated: int
    unchanged: int


def upsert(connection: Connection, account_id: uuid.UUID, new_tasks: Sequence[NewTask]) -> Upserted:
    """Stores tasks by their external id: new ones are created, known ones are updated if they differ.

    Of several tasks with the same external id, the last counts.
    """
    now = datetime.now(UTC)
    by_key = {new.draft.external_id or new.id: new for new in new_tasks}
    wanted = [_task(account_id, new, now) for new in by_key.values()]
    rows = orjson.dumps([task.as_document() for task in wanted]).decode()
    stored = [from_row(row) for row in connection.execute(_UPSERT, {"account_id": account_id, "rows": rows})]
    changes = [(TASK_CREATED if task.version == 1 else TASK_UPDATED, task) for task in stored]
    record_changes(connection, changes)
    created = sum(1 for type_, _ in changes if type_ == TASK_CREATED)
    return Upserted(created=created, updated=len(stored) - created, unchanged=len(new_tasks) - len(stored))


_VERBS = {TASK_CREATED: "Created", TASK_UPDATED: "Changed", TASK_DELETED: "Deleted"}


def record_changes(connection: Connection, changes: Sequence[tuple[str, Task]]) -> None:
    """Adds the events of the changes to the outbox and submits the reminders that they call for."""
    outbox.add(connection, [_event(type_, task) for type_, task in changes])
    _remind(connection, [task for type_, task in changes if type_ != TASK_DELETED])


def _remind(connection: Connection, tasks: Iterable[Task]) -> None:
    submit(connection, [_reminder(task) for task in tasks if _wants_reminder(task)])


def _event(type_: str, task: Task) -> Event:
    return event(
        type_,
        account_id=task.account_id,
        subject_id=task.id,
        version=task.version,
        summary=f"{_VERBS[type_]} “{task.title}”",
        at=task.updated_at,
        data=task.as_document(),
    )


def _wants_reminder(task: Task) -> bool:
    unfinished = task.status in {TaskStatus.OPEN, TaskStatus.IN_PROGRESS}
    return unfinished and task.remind and task.due_at is not None and task.due_at > datetime.now(UTC)


def _reminder(task: Task) -> NewJob:
    # The id is derived, so changing a task twice submits one reminder. An outdated reminder does nothing when it runs.
    due_at = task.due_at.isoformat() if task.due_at else ""
    return NewJob(
        id=derived_id("reminder", task.id, due_at),
        account_id=task.account_id,
        kind=REMINDER_KIND,
        args={"task_id": str(task.id), "due_at": due_at},
        run_at=task.due_at,
    )
