"""CSV as spreadsheets and other programs write it, and as hostile hands do."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from taskhub_core.tasks.formats import Format, Rejection, TaskDraft, TaskFileError, parse, serialize
from taskhub_core.tasks.status import TaskStatus

type Read = Callable[[Format, bytes | str], list[Any]]

_SPREADSHEET = (
    "\ufeffTask Name;Notes;Status;Priority;Due Date;Labels;Assignee\r\n"
    'Write the report;"First line\r\n\r\nthird; with ""quotes""";In Progress;High;2026-03-01;work, reports;me\r\n'
    "Buy milk;;;;2026-03-02T08:30:00+01:00;;\r\n"
    ";;;;;;\r\n"
    "Old one;;Completed;1;;;\r\n"
)


def test_a_spreadsheet_with_semicolons_is_read(read: Read) -> None:
    assert read(Format.CSV, _SPREADSHEET) == [
        TaskDraft(
            "Write the report",
            notes='First line\n\nthird; with "quotes"',
            status=TaskStatus.IN_PROGRESS,
            priority=3,
            due_at=datetime(2026, 3, 1, tzinfo=UTC),
            tags=("work", "reports"),
        ),
        TaskDraft("Buy milk", due_at=datetime(2026, 3, 2, 7, 30, tzinfo=UTC)),
        TaskDraft("Old one", status=TaskStatus.DONE, priority=1),
    ]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    entries = list(parse(Format.CSV, _SPREADSHEET.encode()))
    assert [entry.line for entry in entries] == [2, 5, 7]


@pytest.mark.parametrize("content", ["title\tid\na\t1\n", "sep=\t\r\ntitle\tid\r\na\t1\r\n", "title,id\ra,1\r"])
def test_tabs_a_separator_line_and_old_line_ends_are_understood(read: Read, content: str) -> None:
    assert read(Format.CSV, content) == [TaskDraft("a", external_id="1")]


def test_a_quoted_header_chooses_its_delimiter(read: Read) -> None:
    assert read(Format.CSV, '"id";"title"\n1;a, b\n') == [TaskDraft("a, b", external_id="1")]


def test_the_exact_column_wins_over_a_synonym_and_unknown_ones_are_ignored(read: Read) -> None:
    assert read(Format.CSV, "name,colour,title\nx,red,y\n") == [TaskDraft("y")]


@pytest.mark.parametrize(
    "content, what",
    [
        ("", "empty"),
        ("\n \r\n", "empty"),
        ("id,notes\n1,a\n", "no title column"),
        ('{"title": "a"}\n', "no title column"),
        ("title,id,title\na,1,b\n", "two title columns"),
        ("name,summary\na,b\n", "two title columns"),
        ('title,"id\na,1\n', "header cannot be read"),
        (b"title,\xff\na,1\n", "header cannot be read"),
        ("title," + "x" * 200_000 + "\n", "header cannot be read"),
    ],
)
def test_an_unusable_header_is_a_file_error(read: Read, content: str | bytes, what: str) -> None:
    with pytest.raises(TaskFileError, match=what):
        read(Format.CSV, content)


def test_a_row_with_too_many_cells_is_rejected_and_a_short_one_is_not(read: Read) -> None:
    short, long, padded = read(Format.CSV, "title,notes\na\nb,c,d\ne,f,,,\n")
    assert (short, padded) == (TaskDraft("a"), TaskDraft("e", notes="f"))
    assert long == Rejection(
        3, "the row has 3 cells, the header 2: a cell with the delimiter must be in quotes", "b,c,d"
    )


@pytest.mark.parametrize(
    "line", ['"never closed', 'b,"never closed', '"closed in the" wrong place', 'b,"x" y', '"' + "x" * 100]
)
def test_an_open_quote_costs_its_own_line_only(read: Read, line: str) -> None:
    after = "".join(f'"task {n}","{n}, quoted"\n' for n in range(50))
    before, broken, *rest = read(Format.CSV, f"title,notes\na,\n{line}\n{after}")
    assert before == TaskDraft("a")
    assert isinstance(broken, Rejection)
    assert (broken.line, broken.excerpt) == (3, line)
    assert rest == [TaskDraft(f"task {n}", notes=f"{n}, quoted") for n in range(50)]


def test_an_open_quote_swallows_no_more_than_a_record_may_hold(read: Read) -> None:
    lines = "".join(f"task {n},\n" for n in range(40_000))
    broken, *rest = read(Format.CSV, f'title,notes\n"open\n{lines}last,"closed"\n')
    assert isinstance(broken, Rejection)
    assert len(rest) == 40_001


def test_a_quote_inside_a_plain_cell_is_a_character(read: Read) -> None:
    assert read(Format.CSV, 'title\n5" pipe\nnext\n') == [TaskDraft('5" pipe'), TaskDraft("next")]


def test_bad_values_are_rejected_with_their_reason(read: Read) -> None:
    rows = [
        "a,,,",
        "b,someday,,",
        "c,2026-02-30,,",
        "d,0000-01-01,,",
        "e,9999-12-31,,",
        "f,,9,",
        "g,,,bogus",
        ",2026-01-01,,",
    ]
    _, *rejected = read(Format.CSV, "title,due_at,priority,status\n" + "\n".join(rows))
    reasons = [item.reason for item in rejected]
    assert [reason.split(" ")[0] for reason in reasons] == ["due_at"] * 4 + ["priority", "status", "title"]
    assert reasons[0] == "due_at 'someday' is not a date or time like 2026-01-31 or 2026-01-31T09:30:00Z"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "＠"])
def test_an_exported_cell_is_never_a_formula(start: str) -> None:
    formula = f"{start}HYPERLINK(1)"
    draft = TaskDraft(formula, notes="\t" + formula, tags=(formula,), external_id=formula)
    content = b"".join(serialize(Format.CSV, [draft])).decode()
    _, row = csv.reader(io.StringIO(content))
    assert all(cell.startswith("'") for cell in (row[0], row[1], row[2], row[6]))
    assert [entry.item for entry in parse(Format.CSV, content.encode())] == [draft]
