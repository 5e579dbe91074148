"""Taskwarrior's `task export`: a JSON array with one task a line. Carries every field, times in whole seconds.

pending is open, or in_progress once it has a start; completed is done, deleted is cancelled, waiting and recurring are
open. The project becomes the first tag. Notes are the annotations, one a line. Priority H, M, L is high, medium, low.
What Taskwarrior has no attribute for is written as attributes of our own, which it keeps: taskhubpriority (urgent) and
taskhubid (an id that is no UUID). Not read: depends, wait, scheduled, until, and attributes defined by the user. A
recurring template becomes one open task, with a remark.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson

from taskhub_core.errors import InvalidInput
from taskhub_core.tasks.formats.draft import PRIORITY_URGENT, TaskDraft
from taskhub_core.tasks.formats.json_array import array_records
from taskhub_core.tasks.formats.limits import MAX_ENTRIES, TaskFileError, checked
from taskhub_core.tasks.formats.records import Entry, Record, chunked, entries, line_count, line_records, text_of
from taskhub_core.tasks.formats.strict_json import JsonObject, list_field, read_object, strings_field, text_field
from taskhub_core.tasks.formats.values import clean_tags, read_time, split_tags, with_remark, write_basic_time
from taskhub_core.tasks.status import TaskStatus

_READ_STATUS = {
    "": TaskStatus.OPEN,
    "pending": TaskStatus.OPEN,
    "waiting": TaskStatus.OPEN,
    "recurring": TaskStatus.OPEN,
    "completed": TaskStatus.DONE,
    "deleted": TaskStatus.CANCELLED,
}
_WRITE_STATUS = {
    TaskStatus.OPEN: "pending",
    TaskStatus.IN_PROGRESS: "pending",
    TaskStatus.DONE: "completed",
    TaskStatus.CANCELLED: "deleted",
}
_READ_PRIORITY = {"": 0, "L": 1, "M": 2, "H": 3}
_WRITE_PRIORITY = {1: "L", 2: "M", 3: "H", PRIORITY_URGENT: "H"}
_URGENT = "urgent"
# Taskwarrior wants a date with every annotation and start; a task without a creation date has none to give.
_NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)


def parse(content: bytes, *, skip: int = 0) -> Iterator[Entry]:
    """Yield an entry for each task, after the first `skip`. Raises TaskFileError for a broken array.

    In the layout of `task export`, one task a line, a broken line is rejected by itself. In any other layout the array
    must close.
    """
    content = checked(content)
    if _has_one_task_a_line(content):
        return entries(lambda: _task_lines(content), _task, lines=line_count(content), skip=skip)
    records = list(
        islice(array_records(content), MAX_ENTRIES + 1)
    )  # all of it now, to find a broken array before the first entry
    return entries(lambda: iter(records), _task, lines=len(records), skip=skip)


def serialize(tasks: Iterable[TaskDraft]) -> Iterator[bytes]:
    """Yield the file in chunks, one task a line."""
    return chunked(_lines(tasks))


def _has_one_task_a_line(content: bytes) -> bool:
    first = next(_task_lines(content), None)
    if first is None or not (first.raw.startswith(b"{") and first.raw.endswith(b"}")):
        return False
    try:
        return len(list(islice(array_records(b"[" + first.raw + b"]"), 2))) == 1  # else it is a whole array in one line
    except TaskFileError:
        return True  # a broken line, to be rejected as such


def _task_lines(content: bytes) -> Iterator[Record]:
    """Yield each line without the array's brackets and commas; lines of these alone are left out."""
    for record in line_records(content):
        raw = record.raw.removesuffix(b",")
        if raw.startswith((b"[{", b",{")):
            raw = raw[1:]
        if raw.endswith(b"}]"):
            raw = raw[:-1]
        if raw not in (b"", b"[", b"]"):
            yield Record(record.line, raw)


def _task(record: Record) -> TaskDraft:
    source = read_object(text_of(record))
    status = _choice(source, "status", _READ_STATUS)
    if status is TaskStatus.OPEN and source.get("start") is not None:
        status = TaskStatus.IN_PROGRESS
    priority = _choice(source, "priority", _READ_PRIORITY)
    if text_field(source, "taskhubpriority") == _URGENT:
        priority = PRIORITY_URGENT
    return TaskDraft(
        title=text_field(source, "description"),
        notes=_notes(source),
        status=status,
        priority=priority,
        due_at=read_time("due", text_field(source, "due")),
        tags=_tags(source),
        created_at=read_time("entry", text_field(source, "entry")),
        completed_at=read_time("end", text_field(source, "end")),
        external_id=text_field(source, "taskhubid") or text_field(source, "uuid"),
    )


def _choice[Value](source: JsonObject, key: str, choices: dict[str, Value]) -> Value:
    text = text_field(source, key)
    if text not in choices:
        raise InvalidInput(f"{key} {text[:40]!a} is none of {', '.join(filter(None, choices))}", field=key)
    return choices[text]


def _notes(source: JsonObject) -> str:
    lines: list[str] = []
    for annotation in list_field(source, "annotations"):
        if not isinstance(annotation, dict):
            raise InvalidInput("annotations must contain objects only", field="annotations")
        lines.append(text_field(annotation, "description"))
    notes = "\n".join(lines)
    if text_field(source, "status") == "recurring":
        return with_remark(notes, "Recurring in Taskwarrior; imported as one task.")
    return notes


def _tags(source: JsonObject) -> tuple[str, ...]:
    tags = source.get("tags")
    own = split_tags(tags) if isinstance(tags, str) else clean_tags(strings_field(source, "tags"))
    return clean_tags([text_field(source, "project"), *own])


def _lines(tasks: Iterable[TaskDraft]) -> Iterator[bytes]:
    separator = b"[\n"
    for task in tasks:
        yield separator + orjson.dumps({key: value for key, value in _attributes(task).items() if value})
        separator = b",\n"
    yield b"[\n]\n" if separator == b"[\n" else b"\n]\n"


def _attributes(task: TaskDraft) -> dict[str, object]:
    entry = write_basic_time(task.created_at or _NO_DATE)
    uuid = _uuid(task.external_id) if task.external_id else ""
    return {
        "uuid": uuid,
        "description": task.title,
        "status": _WRITE_STATUS[task.status],
        "entry": entry if task.created_at else "",
        "start": entry if task.status is TaskStatus.IN_PROGRESS else "",
        "end": write_basic_time(task.completed_at) if task.completed_at else "",
        "due": write_basic_time(task.due_at) if task.due_at else "",
        "priority": _WRITE_PRIORITY.get(task.priority, ""),
        "taskhubpriority": _URGENT if task.priority == PRIORITY_URGENT else "",
        "tags": task.tags,
        "annotations": [{"entry": entry, "description": task.notes}] if task.notes else [],
        "taskhubid": "" if uuid == task.external_id else task.external_id,
    }


def _uuid(external_id: str) -> str:
    """Return the id itself if Taskwarrior would accept it, else a UUID that is always the same for it."""
    try:
        if str(UUID(external_id)) == external_id:
            return external_id
    except ValueError:
        pass
    return str(uuid5(NAMESPACE_URL, f"taskhub:{external_id}"))
