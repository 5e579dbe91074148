"""CSV with a header line, delimited by comma, semicolon or tab. Carries every field without loss.

A cell that a spreadsheet would run as a formula is written with an apostrophe before it, which reading takes away
again.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain

from taskhub_core.errors import InvalidInput
from taskhub_core.tasks.formats.csv_records import RowSplitter
from taskhub_core.tasks.formats.draft import TaskDraft
from taskhub_core.tasks.formats.limits import TaskFileError, checked
from taskhub_core.tasks.formats.records import Entry, Record, check, chunked, entries, line_count, text_of
from taskhub_core.tasks.formats.values import read_priority, read_status, read_time, split_tags, write_time

COLUMNS = ("id", "title", "notes", "status", "priority", "due_at", "tags", "created_at", "completed_at")
DELIMITERS = ",;\t"
# What other programs call the columns. The exact name wins when a file has both.
_ALIASES = {
    "uid": "id",
    "uuid": "id",
    "external_id": "id",
    "task_id": "id",
    "name": "title",
    "summary": "title",
    "subject": "title",
    "task": "title",
    "task_name": "title",
    "note": "notes",
    "description": "notes",
    "due": "due_at",
    "due_date": "due_at",
    "labels": "tags",
    "categories": "tags",
    "created": "created_at",
    "completed": "completed_at",
}
_SEPARATOR_HINT = re.compile(rb"\s*sep=([,;\t])\r?\n", re.IGNORECASE)
# Full-width forms are read as formulas by some spreadsheets too. The apostrophes before let a cell that has one itself
# come back.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_ESCAPED_FORMULA = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")

type _Columns = dict[str, int]


def parse(content: bytes, *, skip: int = 0) -> Iterator[Entry]:
    """Yield an entry for each row under the header, after the first `skip`. Raises TaskFileError."""
    content = checked(content)
    delimiters = DELIMITERS
    if hint := _SEPARATOR_HINT.match(content):
        delimiters = hint[1].decode()
        # The hint's line stays as an empty one, so that line numbers hold.
        content = b"\n" + content[hint.end() :]
    delimiter, header = _header(content, delimiters)
    build = partial(_task, delimiter=delimiter, columns=_columns(header), width=len(header))
    return entries(lambda: _body(content, delimiter), build, lines=line_count(content), skip=skip)


def serialize(tasks: Iterable[TaskDraft]) -> Iterator[bytes]:
    """Yield the file in chunks, comma-separated, with a header line."""
    return chunked(_rows(tasks))


def _header(content: bytes, delimiters: str) -> tuple[str, list[str]]:
    """Return the delimiter that makes the most of the header, and the header's cells in plain spelling."""
    readable: list[tuple[str, list[str]]] = []
    failure = None
    for delimiter in delimiters:
        try:
            readable.append((delimiter, _header_cells(content, delimiter)))
        except TaskFileError as error:
            failure = failure or error
    known = COLUMNS + tuple(_ALIASES)
    delimiter, cells = max(readable, key=lambda choice: sum(cell in known for cell in choice[1]), default=("", []))
    if "title" not in {_ALIASES.get(cell, cell) for cell in cells}:
        if failure:
            raise failure
        found = ", ".join(ascii(cell[:30])[1:-1] for cell in cells[:12])
        raise TaskFileError(
            f"The file has no title column; its first row reads: {found}",
            todo=f"Start it with a header line such as {','.join(COLUMNS)}; only title is required.",
            line=1,
        )
    return delimiter, cells


def _header_cells(content: bytes, delimiter: str) -> list[str]:
    first = next(RowSplitter(content, delimiter).rows(), None)
    if first is None:
        raise TaskFileError("The file is empty", todo="Start it with a header line that has a title column.", line=1)
    try:
        check(first)
        cells = _cells(text_of(first), delimiter)
    except InvalidInput as error:
        todo = "Correct it, or save the file as CSV in UTF-8."
        raise TaskFileError(f"The header cannot be read: {error}", todo=todo, line=first.line) from error
    return [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]


def _columns(header: list[str]) -> _Columns:
    """Return the place of each known column. Raises TaskFileError when one is there twice."""
    columns: _Columns = {}
    for names in (dict(zip(COLUMNS, COLUMNS, strict=True)), _ALIASES):
        exact = frozenset(columns)
        for place, cell in enumerate(header):
            column = names.get(cell)
            if column is None or column in exact:
                continue
            if column in columns:
                raise TaskFileError(
                    f"The header has two {column} columns", todo="Rename or remove one of them.", line=1
                )
            columns[column] = place
    return columns


def _body(content: bytes, delimiter: str) -> Iterator[Record]:
    rows = RowSplitter(content, delimiter).rows()
    next(rows)  # the header
    return rows


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InvalidInput(f"not a CSV row: {error}") from error
    return rows[0] if rows else []


def _task(record: Record, *, delimiter: str, columns: _Columns, width: int) -> TaskDraft:
    cells = _cells(text_of(record), delimiter)
    if any(cell.strip() for cell in cells[width:]):
        raise InvalidInput(
            f"the row has {len(cells)} cells, the header {width}: a cell with the delimiter must be in quotes"
        )

    def cell(column: str) -> str:
        place = columns.get(column, width)
        text = cells[place] if place < len(cells) else ""
        return text[1:] if _ESCAPED_FORMULA.match(text) else text

    return TaskDraft(
        title=cell("title"),
        notes=cell("notes"),
        status=read_status(cell("status")),
        priority=read_priority(cell("priority")),
        due_at=read_time("due_at", cell("due_at")),
        tags=split_tags(cell("tags")),
        created_at=read_time("created_at", cell("created_at")),
        completed_at=read_time("completed_at", cell("completed_at")),
        external_id=cell("id"),
    )


def _rows(tasks: Iterable[TaskDraft]) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    for cells in chain([COLUMNS], map(_row, tasks)):
        writer.writerow(cells)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def _row(task: TaskDraft) -> tuple[str, ...]:
    return (
        _harmless(task.external_id or ""),
        _harmless(task.title),
        _harmless(task.notes),
        task.status.value,
        str(task.priority),
        write_time(task.due_at),
        _harmless(",".join(task.tags)),
        write_time(task.created_at),
        write_time(task.completed_at),
    )


def _harmless(text: str) -> str:
    return "'" + text if _FORMULA.match(text) else text
