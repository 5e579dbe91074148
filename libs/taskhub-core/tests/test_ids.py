"""Derived identifiers: the same for the same parts, different for others, and in order where they are numbered."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

from taskhub_core.ids import derived_id, numbered_id

AT = datetime(2026, 5, 17, 12, tzinfo=UTC)


def test_derived_ids_depend_on_every_part_and_on_where_it_ends() -> None:
    assert derived_id("a", 1) == derived_id("a", "1")
    assert (
        len({derived_id("a", 1), derived_id("a", 2), derived_id("b", 1), derived_id("a1"), derived_id("a", 1, "")}) == 5
    )


def test_numbered_ids_are_ordered_by_time_and_then_by_number() -> None:
    numbers = [0, 1, 31, 32, 33, 4_095, 4_096, 65_535, 100_000, 131_071]
    ids = [numbered_id(AT, number, "import", "x") for number in numbers]
    assert ids == sorted(ids)
    assert ids == [numbered_id(AT, number, "import", "x") for number in numbers]
    assert ids[-1] < numbered_id(AT + timedelta(milliseconds=1), 0, "import", "x")
    assert not set(ids) & {numbered_id(AT, number, "import", "y") for number in numbers}
    assert {(each.version, each.variant) for each in ids} == {(7, RFC_4122)}
