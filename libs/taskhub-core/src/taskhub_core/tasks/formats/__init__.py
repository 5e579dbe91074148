"""Files of tasks: five formats, each read into numbered entries and written from drafts as streams."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Protocol

from taskhub_core.tasks.formats import csv, jsonl, taskwarrior, todotxt
from taskhub_core.tasks.formats.draft import TaskDraft
from taskhub_core.tasks.formats.limits import MAX_BYTES, MAX_ENTRIES, TaskFileError
from taskhub_core.tasks.formats.records import Entry, Rejection

__all__ = [
    "MAX_BYTES",
    "MAX_ENTRIES",
    "Entry",
    "Format",
    "Rejection",
    "TaskDraft",
    "TaskFileError",
    "parse",
    "serialize",
]


class Format(StrEnum):
    """The formats, by the names that clients use."""

    CSV = "csv"
    JSONL = "jsonl"
    TODOTXT = "todotxt"
    TASKWARRIOR = "taskwarrior"
    ICAL = "ical"

    @property
    def content_type(self) -> str:
        """The media type of such a file, with its charset where the type has one."""
        return _CONTENT_TYPES[self]

    @property
    def extension(self) -> str:
        """The usual end of such a file's name, without a dot."""
        return _EXTENSIONS[self]


class _Codec(Protocol):
    """What every format's module offers."""

    def parse(self, content: bytes, *, skip: int = 0) -> Iterator[Entry]: ...

    def serialize(self, tasks: Iterable[TaskDraft]) -> Iterator[bytes]: ...


_CODECS: dict[Format, _Codec] = {
    Format.CSV: csv,
    Format.JSONL: jsonl,
    Format.TODOTXT: todotxt,
    Format.TASKWARRIOR: taskwarrior,
}
_CONTENT_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSONL: "application/x-ndjson",
    Format.TODOTXT: "text/plain; charset=utf-8",
    Format.TASKWARRIOR: "application/json",
    Format.ICAL: "text/calendar; charset=utf-8",
}
_EXTENSIONS = {
    Format.CSV: "csv",
    Format.JSONL: "jsonl",
    Format.TODOTXT: "txt",
    Format.TASKWARRIOR: "json",
    Format.ICAL: "ics",
}


def parse(file_format: Format, content: bytes, *, skip: int = 0) -> Iterator[Entry]:
    """Return the entries of the file in order, each a task or the reason why it is none.

    `skip` leaves out the first entries without building them: an import that stopped after entry n goes on with
    `skip=n`. Raises TaskFileError at the call, before the first entry, for a file that is not the format at all or over
    a limit.
    """
    return _codec(file_format).parse(content, skip=skip)


def serialize(file_format: Format, tasks: Iterable[TaskDraft]) -> Iterator[bytes]:
    """Return the file in chunks of about 64 KiB, while the tasks are consumed one by one."""
    return _codec(file_format).serialize(tasks)


def _codec(file_format: Format) -> _Codec:
    if file_format is Format.ICAL:
        # icalendar is 80 modules, which most processes never need and all would wait for when they start.
        from taskhub_core.tasks.formats import ical

        return ical
    return _CODECS[file_format]
