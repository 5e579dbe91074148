"""todo.txt by the public rules of the format."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from taskhub_core.tasks.formats import Format, Rejection, TaskDraft, TaskFileError, serialize
from taskhub_core.tasks.status import TaskStatus

type Read = Callable[[Format, bytes | str], list[Any]]


def _day(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=UTC)


_RULES = {
    "(A) Thank Mom for the meatballs @phone": TaskDraft("Thank Mom for the meatballs", priority=4, tags=("@phone",)),
    "(B) 2026-01-02 Schedule pickup +GarageSale @phone": TaskDraft(
        "Schedule pickup", priority=3, created_at=_day(2), tags=("GarageSale", "@phone")
    ),
    "(C) Post signs": TaskDraft("Post signs", priority=2),
    "(Z) Some time": TaskDraft("Some time", priority=1),
    "Really gotta call Mom (A) @phone": TaskDraft("Really gotta call Mom (A)", tags=("@phone",)),
    "(b) Get back to the boss": TaskDraft("(b) Get back to the boss"),
    "(B)->Submit TPS report": TaskDraft("(B)->Submit TPS report"),
    "x 2026-01-03 2026-01-01 Review +site pull @github": TaskDraft(
        "Review pull",
        status=TaskStatus.DONE,
        completed_at=_day(3),
        created_at=_day(1),
        tags=("site", "@github"),
    ),
    "x 2026-01-03 Done": TaskDraft("Done", status=TaskStatus.DONE, completed_at=_day(3)),
    "x (A) 2026-01-03 Done": TaskDraft("Done", status=TaskStatus.DONE, priority=4, completed_at=_day(3)),
    "x Done pri:B": TaskDraft("Done", status=TaskStatus.DONE, priority=3),
    "xylophone lesson": TaskDraft("xylophone lesson"),
    "X 2026-01-03 Make resolutions": TaskDraft("X 2026-01-03 Make resolutions"),
    "2026-01-01 2026-01-02 is the title": TaskDraft("2026-01-02 is the title", created_at=_day(1)),
    "Learn 2+2, write a@b.c": TaskDraft("Learn 2+2, write a@b.c"),
    "Tax due:2026-01-31 id:t1": TaskDraft("Tax", due_at=_day(31), external_id="t1"),
    "Tax due:20260131T080000Z": TaskDraft("Tax", due_at=_day(31, 8)),
    "Water rec:1w t:2026-01-01 https://e.org/x": TaskDraft("Water rec:1w t:2026-01-01 https://e.org/x"),
    "Fix status:500 pri:none": TaskDraft("Fix status:500 pri:none"),
    "Work status:in_progress": TaskDraft("Work", status=TaskStatus.IN_PROGRESS),
    "x Drop status:cancelled": TaskDraft("Drop", status=TaskStatus.CANCELLED),
    "Call +Bob, then rest": TaskDraft("Call then rest", tags=("Bob",)),
}


@pytest.mark.parametrize("line", _RULES)
def test_a_line_is_read_by_the_rules(read: Read, line: str) -> None:
    assert read(Format.TODOTXT, f"\n{line}\r\n") == [_RULES[line]]


def test_a_task_is_written_as_the_rules_say() -> None:
    draft = TaskDraft(
        "Pay x",
        status=TaskStatus.DONE,
        priority=4,
        due_at=_day(5),
        tags=("home", "@bank"),
        created_at=_day(1, 9),
        completed_at=_day(3),
        external_id="a b%",
    )
    line = b"".join(serialize(Format.TODOTXT, [draft])).decode()
    assert line == (
        "x 2026-01-03 2026-01-01 Pay x +home @bank pri:A due:2026-01-05 created:20260101T090000Z id:a%20b%25\n"
    )


@pytest.mark.parametrize(
    "line, reason",
    [
        ("Tax due:tomorrow", "due 'tomorrow'"),
        ("Tax due:2026-02-30", "due '2026-02-30'"),
        ("x 2026-13-01 Tax", "completed '2026-13-01'"),
        ("0000-00-00 Tax", "created '0000-00-00'"),
        ("Tax id:1 id:2", "id: appears twice"),
        ("+home @bank", "title is empty"),
        ("+" + "x" * 51 + " a", "51 characters"),
        ("a" * 200_000, "at most 131,072"),
        ("a\0b", "NUL"),
    ],
)
def test_a_bad_line_is_rejected_and_the_next_is_read(read: Read, line: str, reason: str) -> None:
    rejected, following = read(Format.TODOTXT, f"{line}\nnext")
    assert isinstance(rejected, Rejection)
    assert reason in rejected.reason
    assert following == TaskDraft("next")


@pytest.mark.parametrize("content", ["[\n{}\n]\n", '{"title": "a"}\n', "BEGIN:VCALENDAR\r\n"])
def test_another_format_is_a_file_error(read: Read, content: str) -> None:
    with pytest.raises(TaskFileError, match="JSON or iCalendar"):
        read(Format.TODOTXT, content)
