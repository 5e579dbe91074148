"""Stores a chunk of an import: a task whose id is known is updated, others are created, and repeating adds nothing."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, text

from taskhub_core.ids import numbered_id
from taskhub_core.tasks import service
from taskhub_core.tasks.formats import Format, TaskDraft
from taskhub_core.tasks.service import NewTask, TaskPatch, Upserted
from taskhub_core.tasks.task import COLUMNS, Task, from_row

# Deleted ones too: what was deleted since is not brought back by a job that runs again.
_STORED = text("SELECT id FROM tasks WHERE id = ANY (CAST(:ids AS uuid[]))")
# FOR UPDATE in the order of ids: two imports of the same file wait for each other instead of deadlocking.
_EXPORTED = text(
    f"""
    SELECT {COLUMNS} FROM tasks
    WHERE account_id = :account_id AND id = ANY (CAST(:ids AS uuid[])) AND external_id IS NULL AND deleted_at IS NULL
    ORDER BY id FOR UPDATE
    """  # noqa: S608 - no value is formatted in
)
_NOTES = text(
    """
    SELECT external_id, notes FROM tasks
    WHERE account_id = :account_id AND external_id = ANY (CAST(:keys AS text[])) AND deleted_at IS NULL AND notes <> ''
    """
)
_FIELDS = ("title", "notes", "status", "priority", "due_at", "tags")


@dataclass(frozen=True, slots=True)
class Numbered:
    """A task of a file, with its number there."""

    number: int
    draft: TaskDraft


@dataclass(frozen=True, slots=True)
class Source:
    """What all chunks of one import share."""

    account_id: uuid.UUID
    job_id: uuid.UUID
    file_id: uuid.UUID
    file_format: Format
    uploaded_at: datetime

    @property
    def carries_notes(self) -> bool:
        """Whether the format has notes: if not, those that are stored already are kept."""
        return self.file_format is not Format.TODOTXT

    def task_id(self, entry: Numbered) -> uuid.UUID:
        """The id of the task that the entry makes, in the order of the file.

        Without an id in the file it is the same for every import of this upload: also for the job that repeats a dead
        one. With one, that is what tells tasks apart, and this is only the same when this job does a chunk again.
        """
        maker = self.job_id if entry.draft.external_id else (self.file_id, self.file_format.value)
        return numbered_id(self.uploaded_at, entry.number, "import", maker)


def store(connection: Connection, source: Source, chunk: Sequence[Numbered]) -> Upserted:
    """Stores the chunk's tasks and says what became of them.

    The id in the file is either the external id of a task that came from a file before, or the id that an export wrote
    for a task that never had an external one. Of several tasks with the same id, the last counts. An entry without an
    id makes its task once, however often the same upload is imported.
    """
    ids = {entry.number: source.task_id(entry) for entry in chunk}
    stored = set(connection.execute(_STORED, {"ids": list(ids.values())}).scalars())
    fresh = [NewTask(entry.draft, id=ids[entry.number]) for entry in chunk if ids[entry.number] not in stored]
    exported = _exported(connection, source, [new.draft for new in fresh])
    updated = _update(connection, source, exported, [new.draft for new in fresh])
    others = [new for new in fresh if _key(new.draft) not in exported]
    if not source.carries_notes:
        others = _with_stored_notes(connection, source, others)
    # In the order of their keys, for the reason above. The sort is stable: the last of several is still the last.
    others.sort(key=lambda new: new.draft.external_id or "")
    done = service.upsert(connection, source.account_id, others)
    unchanged = len(chunk) - done.created - done.updated - updated
    return Upserted(created=done.created, updated=done.updated + updated, unchanged=unchanged)


def _key(draft: TaskDraft) -> uuid.UUID | None:
    try:
        return uuid.UUID(draft.external_id) if draft.external_id else None
    except ValueError:
        return None


def _exported(connection: Connection, source: Source, drafts: Sequence[TaskDraft]) -> dict[uuid.UUID | None, Task]:
    """The account's tasks that the file names by their own ids."""
    keys = [key for draft in drafts if (key := _key(draft)) is not None]
    if not keys:
        return {}
    rows = connection.execute(_EXPORTED, {"account_id": source.account_id, "ids": keys})
    return {row.id: from_row(row) for row in rows}


def _update(
    connection: Connection, source: Source, exported: dict[uuid.UUID | None, Task], drafts: Sequence[TaskDraft]
) -> int:
    wanted = {key: draft for draft in drafts if (key := _key(draft)) in exported}
    updated = 0
    for key, draft in wanted.items():
        task = exported[key]
        draft = draft if source.carries_notes else replace(draft, notes=task.notes)
        changes = {name: getattr(draft, name) for name in _FIELDS if getattr(draft, name) != getattr(task, name)}
        if changes:
            service.update(connection, source.account_id, task.id, TaskPatch(changes), expected_version=None)
            updated += 1
    return updated


def _with_stored_notes(connection: Connection, source: Source, new_tasks: list[NewTask]) -> list[NewTask]:
    keys = [new.draft.external_id for new in new_tasks if new.draft.external_id]
    rows = connection.execute(_NOTES, {"account_id": source.account_id, "keys": keys})
    notes = {row.external_id: row.notes for row in rows}
    return [
        replace(new, draft=replace(new.draft, notes=notes[new.draft.external_id]))
        if new.draft.external_id in notes
        else new
        for new in new_tasks
    ]
