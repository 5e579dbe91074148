"""iCalendar (RFC 5545) with one VTODO a task. Carries every field, times in whole seconds.

PRIORITY 1 and 2 is urgent, 3 and 4 high, 5 medium, 6 to 9 low. Dates and floating times are taken as UTC. Of a
recurring task the first occurrence is imported, with a remark; a changed occurrence (RECURRENCE-ID) is a task of its
own. A UID is required, so a task without an id gets one that X-TASKHUB-NO-ID marks as made up. Not read: alarms,
attachments, relations, and the file's own VTIMEZONEs.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from taskhub_core.errors import InvalidInput
from taskhub_core.tasks.formats.draft import TaskDraft
from taskhub_core.tasks.formats.ical_lines import (
    Property,
    TodoFinder,
    read_property,
    read_text,
    read_texts,
    unfolded,
    write_line,
    write_text,
)
from taskhub_core.tasks.formats.ical_times import read_duration, read_ical_time
from taskhub_core.tasks.formats.limits import TaskFileError, checked
from taskhub_core.tasks.formats.records import Entry, Record, chunked, entries, line_count, text_of
from taskhub_core.tasks.formats.values import clean_tags, with_remark, write_basic_time
from taskhub_core.tasks.status import TaskStatus

# Each line costs time however short it is. The largest calendar of tasks has about 700,000.
MAX_LINES = 1_000_000
_NO_ID = "X-TASKHUB-NO-ID"
_REPEATABLE = frozenset({"CATEGORIES", "RRULE", "RDATE"})
_WANTED = _REPEATABLE | {
    *("SUMMARY", "DESCRIPTION", "STATUS", "PERCENT-COMPLETE", "PRIORITY", "UID", "RECURRENCE-ID", _NO_ID),
    *("DUE", "DTSTART", "DURATION", "CREATED", "COMPLETED"),
}
_READ_STATUS = {
    "NEEDS-ACTION": TaskStatus.OPEN,
    "IN-PROCESS": TaskStatus.IN_PROGRESS,
    "COMPLETED": TaskStatus.DONE,
    "CANCELLED": TaskStatus.CANCELLED,
}
_WRITE_STATUS = {status: name for name, status in _READ_STATUS.items()}
_READ_PRIORITY = {"0": 0, "1": 4, "2": 4, "3": 3, "4": 3, "5": 2, "6": 1, "7": 1, "8": 1, "9": 1}
_WRITE_PRIORITY = {4: "1", 3: "3", 2: "5", 1: "9"}
_NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)  # DTSTAMP is required; a task without dates has none to give

type _Properties = dict[str, Property]


def parse(content: bytes, *, skip: int = 0) -> Iterator[Entry]:
    """Yield an entry for each VTODO, after the first `skip`. Raises TaskFileError when the file is not a calendar."""
    content = checked(content)
    line, first = next(unfolded(content), (1, b""))
    if not re.fullmatch(rb"\s*BEGIN\s*:\s*VCALENDAR\s*", first, re.IGNORECASE):
        raise TaskFileError(
            "The file is not an iCalendar file: it does not start with BEGIN:VCALENDAR",
            todo="Export it from the calendar program as .ics, or choose the file's own format.",
            line=line,
        )
    lines = line_count(content)
    if lines > MAX_LINES:
        raise TaskFileError(
            f"The file has {lines:,} lines; at most {MAX_LINES:,} are allowed",
            todo="Split it into smaller files and import one after the other.",
        )
    return entries(lambda: TodoFinder(content, _WANTED).todos(), _task, lines=lines, skip=skip)


def serialize(tasks: Iterable[TaskDraft]) -> Iterator[bytes]:
    """Yield the file in chunks."""
    return chunked(_calendar(tasks))


def _task(record: Record) -> TaskDraft:
    categories: list[str] = []
    properties: _Properties = {}
    for line in text_of(record).split("\n") if record.raw else []:
        found = read_property(line)
        if found.name == "CATEGORIES":
            categories += read_texts(found.value)
        elif found.name in properties and found.name not in _REPEATABLE:
            raise InvalidInput(f"{found.name} appears twice in the VTODO")
        properties[found.name] = found
    return TaskDraft(
        title=_text(properties, "SUMMARY"),
        notes=_notes(properties),
        status=_status(properties),
        priority=_priority(properties),
        due_at=_due(properties),
        tags=clean_tags(categories),
        created_at=_time(properties, "CREATED"),
        completed_at=_time(properties, "COMPLETED"),
        external_id=_id(properties),
    )


def _text(properties: _Properties, name: str) -> str:
    return read_text(properties[name].value) if name in properties else ""


def _time(properties: _Properties, name: str) -> datetime | None:
    return read_ical_time(properties[name]) if name in properties else None


def _notes(properties: _Properties) -> str:
    notes = _text(properties, "DESCRIPTION")
    if "RRULE" in properties or "RDATE" in properties:
        return with_remark(notes, "Recurring in the calendar; only the first occurrence was imported.")
    return notes


def _status(properties: _Properties) -> TaskStatus:
    text = _text(properties, "STATUS").strip().upper()
    if text:
        if text not in _READ_STATUS:
            raise InvalidInput(f"STATUS {text[:40]!a} is none of {', '.join(_READ_STATUS)}", field="status")
        return _READ_STATUS[text]
    finished = "COMPLETED" in properties or _text(properties, "PERCENT-COMPLETE").strip() == "100"
    return TaskStatus.DONE if finished else TaskStatus.OPEN


def _priority(properties: _Properties) -> int:
    text = _text(properties, "PRIORITY").strip() or "0"
    if text not in _READ_PRIORITY:
        raise InvalidInput(f"PRIORITY {text[:40]!a} is not a number from 0 to 9", field="priority")
    return _READ_PRIORITY[text]


def _due(properties: _Properties) -> datetime | None:
    if "DUE" in properties or not {"DTSTART", "DURATION"} <= properties.keys():
        return _time(properties, "DUE")
    try:
        return read_ical_time(properties["DTSTART"]) + read_duration(properties["DURATION"])
    except OverflowError as error:
        raise InvalidInput("DTSTART and DURATION lead out of the range of dates", field="due_at") from error


def _id(properties: _Properties) -> str:
    if _NO_ID in properties:
        return ""
    occurrence = _text(properties, "RECURRENCE-ID")
    return _text(properties, "UID") + (f"/{occurrence}" if occurrence else "")


def _calendar(tasks: Iterable[TaskDraft]) -> Iterator[bytes]:
    yield b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//TaskHub//Tasks//EN\r\n"
    for task in tasks:
        yield b"BEGIN:VTODO\r\n"
        yield from (write_line(name, value) for name, value in _values(task).items() if value)
        yield b"END:VTODO\r\n"
    yield b"END:VCALENDAR\r\n"


def _values(task: TaskDraft) -> dict[str, str]:
    stamp = task.completed_at or task.created_at or _NO_DATE
    return {
        "UID": write_text(task.external_id or str(uuid5(NAMESPACE_URL, f"taskhub:{task!r}"))),
        _NO_ID: "" if task.external_id else "TRUE",
        "DTSTAMP": write_basic_time(stamp),
        "CREATED": write_basic_time(task.created_at) if task.created_at else "",
        "SUMMARY": write_text(task.title),
        "DESCRIPTION": write_text(task.notes),
        "STATUS": _WRITE_STATUS[task.status],
        "PRIORITY": _WRITE_PRIORITY.get(task.priority, ""),
        "DUE": write_basic_time(task.due_at) if task.due_at else "",
        "COMPLETED": write_basic_time(task.completed_at) if task.completed_at else "",
        "CATEGORIES": ",".join(write_text(tag) for tag in task.tags),
    }
