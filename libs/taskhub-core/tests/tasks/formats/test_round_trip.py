"""What is exported can be imported again without loss, save for what a format's module says it cannot carry."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from taskhub_core.tasks.formats import Format, TaskDraft, parse, serialize
from taskhub_core.tasks.status import TaskStatus

# Pieces that mean something in one format or another are likelier than chance would make them.
_MARKUP = st.sampled_from(
    [
        "+p",
        "@c",
        "x",
        "(A)",
        "2026-01-02",
        "due:2026-01-02",
        "due:",
        "id:7",
        "status:done",
        "pri:A",
        "\\",
        "\\x",
        "\\+p",
        "%20",
        "'",
        "=1+1",
        "-",
        "@",
        "\t",
        '"',
        '""',
        ",",
        ";",
        "\n",
        "\\n",
        "\\N",
        "C:\\New",
        "[",
        '{"',
        "BEGIN:VCALENDAR",
        "END:VTODO",
        " ",
        "  ",
        "\u00a0",
        "\u2028",
        "\u0085",
        "é",
        "😀",
        ":",
        "#",
        "null",
        "\ufeff",
        "＝",
    ]
)
_TEXT = st.lists(_MARKUP | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8), max_size=8).map("".join)
_TAG = (_MARKUP | _TEXT).map(
    lambda text: "".join(c for c in text if not c.isspace() and c != "," and c.isprintable())[:50]
)
_TIME = st.none() | st.datetimes(datetime(1901, 1, 1), datetime(9998, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
_DRAFT = st.builds(
    TaskDraft,
    title=_TEXT.map(lambda text: text[:500]).filter(lambda text: text.strip()),
    notes=_TEXT,
    status=st.sampled_from(TaskStatus),
    priority=st.integers(0, 4),
    due_at=_TIME,
    tags=st.lists(_TAG.filter(bool), max_size=5).map(tuple),
    created_at=_TIME,
    completed_at=_TIME,
    external_id=st.none() | _TEXT.map(lambda text: text[:200]) | st.uuids().map(str),
)


def _carried(file_format: Format, draft: TaskDraft) -> TaskDraft:
    """Return the draft as the format's module says that it is carried."""
    if file_format in (Format.CSV, Format.JSONL):
        return draft
    whole = {
        name: value.replace(microsecond=0)
        for name in ("due_at", "created_at", "completed_at")
        if (value := getattr(draft, name)) is not None
    }
    draft = dataclasses.replace(draft, **whole)
    return dataclasses.replace(draft, notes="") if file_format is Format.TODOTXT else draft


@pytest.mark.parametrize("file_format", Format)
@settings(max_examples=150, deadline=None)
@given(drafts=st.lists(_DRAFT, max_size=4))
@example(drafts=[TaskDraft("C:\\New \\n folder", notes="\n=cmd|' /C calc'!A0\n\n", tags=("@home", "+a:b", "-"))])
@example(drafts=[TaskDraft("x 2026-01-01 (A) due:soon", status=TaskStatus.CANCELLED, external_id="a b%20c")])
@example(
    drafts=[TaskDraft("'=1", notes="''@x", status=TaskStatus.DONE, created_at=datetime(2026, 1, 2, 3, 4, 5, 6, UTC))]
)
@example(drafts=[TaskDraft("\ufefftitle")])
@example(drafts=[TaskDraft("%PDF-1.7 has no tasks")])
@example(drafts=[TaskDraft("BEGIN:VCALENDAR"), TaskDraft("["), TaskDraft('{"a": 1}')])
def test_an_export_can_be_imported_without_loss(file_format: Format, drafts: list[TaskDraft]) -> None:
    content = b"".join(serialize(file_format, drafts))
    assert [entry.item for entry in parse(file_format, content)] == [_carried(file_format, draft) for draft in drafts]


@pytest.mark.parametrize("file_format", Format)
def test_the_largest_task_can_be_imported_again(file_format: Format) -> None:
    draft = TaskDraft(
        "😀" * 500, notes="😀" * 20_000, tags=tuple("😀" * 48 + f"{n:02}" for n in range(20)), external_id="😀" * 200
    )
    content = b"".join(serialize(file_format, [draft]))
    assert [entry.item for entry in parse(file_format, content)] == [_carried(file_format, draft)]


@pytest.mark.parametrize("file_format", Format)
def test_an_export_streams_in_chunks_while_the_tasks_come(file_format: Format) -> None:
    taken = 0

    def endless() -> Iterator[TaskDraft]:
        nonlocal taken
        while True:
            taken += 1
            yield TaskDraft(f"task {taken}")

    chunk = next(serialize(file_format, endless()))
    assert 64 * 1024 <= len(chunk) < 66 * 1024
    assert taken < 10_000


@pytest.mark.parametrize("file_format", Format)
def test_an_import_resumes_after_the_entries_it_skips(file_format: Format) -> None:
    content = b"".join(serialize(file_format, [TaskDraft(f"task {n}") for n in range(10)]))
    assert list(parse(file_format, content, skip=7)) == list(parse(file_format, content))[7:]
    assert list(parse(file_format, content, skip=10)) == []


@pytest.mark.parametrize("file_format", Format)
def test_an_export_of_nothing_is_a_valid_file_of_nothing(file_format: Format) -> None:
    assert list(parse(file_format, b"".join(serialize(file_format, [])))) == []
