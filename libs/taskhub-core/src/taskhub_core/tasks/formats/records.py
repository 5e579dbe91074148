"""From raw records to numbered entries: a bad record becomes a rejection with its reason, and ends nothing."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from taskhub_core.errors import InvalidInput
from taskhub_core.tasks.formats.draft import TaskDraft
from taskhub_core.tasks.formats.limits import MAX_ENTRIES, MAX_RECORD_BYTES, too_many_entries

EXCERPT_CHARS = 200
_CHUNK_BYTES = 64 * 1024
_LINE = re.compile(rb"\S[^\n]*")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that did not become a task: its first line (from 1), why, and its beginning with controls escaped."""

    line: int
    reason: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a file. `index` counts from 1, the same at every parse, so that an import can resume after it."""

    index: int
    line: int
    item: TaskDraft | Rejection


class Record(NamedTuple):
    """The bytes of one task, before they are understood. `problem` is set when they are known to be unreadable."""

    line: int
    raw: bytes
    problem: str | None = None


def entries(
    records: Callable[[], Iterator[Record]], build: Callable[[Record], TaskDraft], *, lines: int, skip: int
) -> Iterator[Entry]:
    """Number the records and build a task from each, leaving out the first `skip` without building them.

    A record takes a line at least, so only a file with more than MAX_ENTRIES `lines` is counted beforehand. Raises
    TaskFileError when there are too many records: before the first entry, so that no half of a file is imported.
    """
    if lines > MAX_ENTRIES and next(islice(records(), MAX_ENTRIES, None), None) is not None:
        raise too_many_entries()
    return (
        Entry(index, record.line, _item(record, build))
        for index, record in enumerate(records(), start=1)
        if index > skip
    )


def line_records(content: bytes) -> Iterator[Record]:
    """Yield each line that is not blank, without the white space around it."""
    line, position = 1, 0
    for match in _LINE.finditer(content):
        line += content.count(b"\n", position, match.start())
        position = match.start()
        yield Record(line, match[0].rstrip())


def line_count(content: bytes) -> int:
    """Return the number of lines, a last one without a line end included."""
    return content.count(b"\n") + 1


def check(record: Record) -> None:
    """Raise InvalidInput for a record that is unreadable, too long or binary."""
    if record.problem is not None:
        raise InvalidInput(record.problem)
    if len(record.raw) > MAX_RECORD_BYTES:
        raise InvalidInput(f"the record has {len(record.raw):,} bytes; at most {MAX_RECORD_BYTES:,} are allowed")
    if b"\0" in record.raw:
        raise InvalidInput("the record contains a NUL byte")


def text_of(record: Record) -> str:
    """Decode the record, or raise InvalidInput that names the first bad byte."""
    try:
        return record.raw.decode()
    except UnicodeDecodeError as error:
        bad = record.raw[error.start]
        raise InvalidInput(f"byte {error.start + 1} (0x{bad:02x}) is not valid UTF-8") from error


def chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join small pieces into chunks of about 64 KiB."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _CHUNK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def excerpt(raw: bytes) -> str:
    """Return the beginning of the bytes as printable text of at most EXCERPT_CHARS characters."""
    text = raw[: EXCERPT_CHARS * 4].decode(errors="backslashreplace")[:EXCERPT_CHARS]
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return shown[:EXCERPT_CHARS]


def _item(record: Record, build: Callable[[Record], TaskDraft]) -> TaskDraft | Rejection:
    try:
        check(record)
        return build(record)
    except InvalidInput as error:
        return Rejection(record.line, str(error), excerpt(record.raw))
