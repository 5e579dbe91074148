"""A draft is valid, or it is not made."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from taskhub_core.errors import InvalidInput
from taskhub_core.tasks.formats import TaskDraft


def test_title_becomes_one_stripped_line() -> None:
    assert TaskDraft("  a\nb\tc\u2028d ").title == "a b c d"


def test_line_ends_in_notes_become_newlines() -> None:
    assert TaskDraft("t", notes="a\r\nb\rc\vd\te").notes == "a\nb\nc\nd\te"


def test_tags_lose_repeats_and_outer_blanks_and_keep_order_and_case() -> None:
    assert TaskDraft("t", tags=("b", " a ", "b", "B")).tags == ("b", "a", "B")


def test_times_become_utc() -> None:
    cet = timezone(timedelta(hours=1))
    draft = TaskDraft("t", due_at=datetime(2026, 1, 1, 0, 30, tzinfo=cet))
    assert draft.due_at is not None
    assert (draft.due_at.tzinfo, draft.due_at.hour) == (UTC, 23)


def test_an_empty_external_id_is_none() -> None:
    assert TaskDraft("t", external_id=" ").external_id is None


def test_the_longest_values_are_accepted() -> None:
    TaskDraft("x" * 500, notes="x" * 20_000, tags=tuple(f"{n:050}" for n in range(20)), external_id="x" * 200)


def _aware(year: int, month: int, day: int, hours: int = 0) -> datetime:
    return datetime(year, month, day, tzinfo=timezone(timedelta(hours=hours)))


@pytest.mark.parametrize(
    "field, values",
    [
        ("title", {"title": " \n "}),
        ("title", {"title": "x" * 501}),
        ("title", {"title": "a\x07b"}),
        ("title", {"title": "a\ud800"}),
        ("notes", {"notes": "x" * 20_001}),
        ("notes", {"notes": "a\0b"}),
        ("priority", {"priority": 5}),
        ("priority", {"priority": -1}),
        ("tags", {"tags": ("a b",)}),
        ("tags", {"tags": ("a,b",)}),
        ("tags", {"tags": ("a\x7fb",)}),
        ("tags", {"tags": ("",)}),
        ("tags", {"tags": ("x" * 51,)}),
        ("tags", {"tags": tuple(f"tag{n}" for n in range(21))}),
        ("due_at", {"due_at": datetime(2026, 1, 1)}),  # noqa: DTZ001 -- the promise under test
        ("due_at", {"due_at": _aware(9999, 1, 1)}),
        ("due_at", {"due_at": _aware(9999, 12, 31, -12)}),
        ("due_at", {"due_at": _aware(1, 1, 1, 12)}),
        ("created_at", {"created_at": _aware(1900, 1, 1, 1)}),
        ("completed_at", {"completed_at": _aware(1899, 12, 31)}),
        ("id", {"external_id": "x" * 201}),
    ],
)
def test_what_cannot_be_made_valid_is_refused_with_its_field(field: str, values: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        TaskDraft(**{"title": "t", **values})  # type: ignore[arg-type]
    assert refused.value.field == field
