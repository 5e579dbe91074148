"""JSON Lines: one object a line, with the field names of the API. Carries every field without loss."""

from collections.abc import Iterable, Iterator

import orjson

from taskhub_core.tasks.formats.draft import TaskDraft
from taskhub_core.tasks.formats.limits import TaskFileError, checked
from taskhub_core.tasks.formats.records import Entry, Record, chunked, entries, line_count, line_records, text_of
from taskhub_core.tasks.formats.strict_json import JsonObject, read_object, scalar_field, strings_field, text_field
from taskhub_core.tasks.formats.values import clean_tags, read_priority, read_status, read_time, split_tags


def parse(content: bytes, *, skip: int = 0) -> Iterator[Entry]:
    """Yield an entry for each line that is not blank, after the first `skip`. Raises TaskFileError."""
    content = checked(content)
    first = next(line_records(content), None)
    if first is not None and first.raw.startswith(b"["):
        raise TaskFileError(
            "The file is a JSON array, not JSON Lines",
            todo="Write one object a line without brackets or commas between, or choose the Taskwarrior format.",
            line=first.line,
        )
    return entries(lambda: line_records(content), _task, lines=line_count(content), skip=skip)


def serialize(tasks: Iterable[TaskDraft]) -> Iterator[bytes]:
    """Yield the file in chunks."""
    return chunked(_line(task) for task in tasks)


def _task(record: Record) -> TaskDraft:
    source = read_object(text_of(record))
    return TaskDraft(
        title=text_field(source, "title"),
        notes=text_field(source, "notes"),
        status=read_status(text_field(source, "status")),
        priority=read_priority(scalar_field(source, "priority")),
        due_at=read_time("due_at", text_field(source, "due_at")),
        tags=_tags(source),
        created_at=read_time("created_at", text_field(source, "created_at")),
        completed_at=read_time("completed_at", text_field(source, "completed_at")),
        external_id=scalar_field(source, "id"),
    )


def _tags(source: JsonObject) -> tuple[str, ...]:
    if isinstance(source.get("tags"), str):
        return split_tags(text_field(source, "tags"))
    return clean_tags(strings_field(source, "tags"))


def _line(task: TaskDraft) -> bytes:
    fields = {
        "id": task.external_id,
        "title": task.title,
        "notes": task.notes,
        "status": task.status.value,
        "priority": task.priority,
        "due_at": task.due_at,
        "tags": task.tags,
        "created_at": task.created_at,
        "completed_at": task.completed_at,
    }
    return orjson.dumps(fields, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
