"""iCalendar as calendars write it, held against the icalendar package, and hostile variants."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskhub_core.tasks.formats import Format, Rejection, TaskDraft, TaskFileError, parse, serialize
from taskhub_core.tasks.status import TaskStatus

type Read = Callable[[Format, bytes | str], list[Any]]

_CALENDAR = r"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//Tasks 1.0//EN
X-WR-CALNAME:Home
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19961027T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:event-1
SUMMARY:Not a task
END:VEVENT
BEGIN:VTODO
UID:todo-1
DTSTAMP:20260101T120000Z
CREATED:20260101T120000Z
SUMMARY;LANGUAGE=en:Renew the passport\, then book
DESCRIPTION;ALTREP="cid:a;b:c":Bring:\n- photo\; 35 mm\n- C:\\Note
 s and a long line that is folded
<TAB> twice
STATUS:IN-PROCESS
PRIORITY:1
DUE;TZID=Europe/Berlin:20260701T100000
CATEGORIES:Errands,Home Office
CATEGORIES:City\, hall
ATTACH;ENCODING=BASE64;VALUE=BINARY:AAAA
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:Alarm text
SUMMARY:Alarm
TRIGGER:-PT15M
END:VALARM
BEGIN:X-NESTED
BEGIN:X-DEEPER
SUMMARY:Deeper
END:X-DEEPER
END:X-NESTED
END:VTODO
BEGIN:VTODO
UID:todo-2
SUMMARY:Date only
DUE;VALUE=DATE:20260702
END:VTODO
BEGIN:VTODO
UID:todo-3
SUMMARY:Floating and recurring
DTSTART:20260703T080000
DURATION:PT1H30M
RRULE:FREQ=SECONDLY;COUNT=999999999
COMPLETED:20260703T100000Z
END:VTODO
BEGIN:VTODO
UID:todo-3
RECURRENCE-ID:20260704T080000
SUMMARY:Its changed occurrence
PERCENT-COMPLETE:100
END:VTODO
END:VCALENDAR
""".replace("<TAB>", "\t")

_READ = [
    TaskDraft(
        "Renew the passport, then book",
        notes="Bring:\n- photo; 35 mm\n- C:\\Notes and a long line that is folded twice",
        status=TaskStatus.IN_PROGRESS,
        priority=4,
        due_at=datetime(2026, 7, 1, 8, tzinfo=UTC),
        tags=("Errands", "Home-Office", "City-hall"),
        created_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
        external_id="todo-1",
    ),
    TaskDraft("Date only", due_at=datetime(2026, 7, 2, tzinfo=UTC), external_id="todo-2"),
    TaskDraft(
        "Floating and recurring",
        notes="Recurring in the calendar; only the first occurrence was imported.",
        status=TaskStatus.DONE,
        due_at=datetime(2026, 7, 3, 9, 30, tzinfo=UTC),
        completed_at=datetime(2026, 7, 3, 10, tzinfo=UTC),
        external_id="todo-3",
    ),
    TaskDraft("Its changed occurrence", status=TaskStatus.DONE, external_id="todo-3/20260704T080000"),
]


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_a_calendar_is_read_with_any_line_ends(read: Read, line_end: str) -> None:
    assert read(Format.ICAL, _CALENDAR.replace("\n", line_end)) == _READ


def test_a_calendar_written_by_the_icalendar_package_is_read(read: Read) -> None:
    calendar = icalendar.Calendar()
    todo = icalendar.Todo()
    todo.add("uid", "a;b,c")
    todo.add("summary", "Ümläut, semi; back\\slash " * 9)
    todo.add("description", "one\ntwo\n" * 30)
    todo.add(
        "due", datetime(2026, 7, 1, 10, tzinfo=icalendar.vDDDTypes.from_ical("20260701T100000", "Asia/Tokyo").tzinfo)
    )
    todo.add("categories", ["x", "y,z"])
    todo.add("priority", 6)
    calendar.add_component(todo)
    assert read(Format.ICAL, calendar.to_ical()) == [
        TaskDraft(
            "Ümläut, semi; back\\slash " * 9,
            notes="one\ntwo\n" * 30,
            priority=1,
            due_at=datetime(2026, 7, 1, 1, tzinfo=UTC),
            tags=("x", "y-z"),
            external_id="a;b,c",
        )
    ]


@settings(max_examples=60, deadline=None)
@given(title=st.text('ab ,;:\\nN"é😀%2C', min_size=1, max_size=200), notes=st.text("ab,;\\nN\né😀%2C", max_size=200))
def test_the_icalendar_package_reads_what_we_write(title: str, notes: str) -> None:
    draft = TaskDraft(
        f"t{title}",
        notes=notes,
        status=TaskStatus.CANCELLED,
        priority=3,
        due_at=datetime(2026, 7, 1, 8, tzinfo=UTC),
        tags=("a;b", "c\\d"),
        external_id="x,y",
    )
    calendar = icalendar.Calendar.from_ical(b"".join(serialize(Format.ICAL, [draft])))
    (todo,) = calendar.walk("VTODO")
    assert not todo.errors
    assert str(todo["SUMMARY"]) == draft.title
    assert str(todo.get("DESCRIPTION", "")) == draft.notes
    assert (str(todo["UID"]), todo["PRIORITY"], str(todo["STATUS"])) == ("x,y", 3, "CANCELLED")
    assert todo["DUE"].dt == draft.due_at
    assert [str(category) for category in todo["CATEGORIES"].cats] == ["a;b", "c\\d"]
    assert {"UID", "DTSTAMP"} <= set(todo)


def test_written_lines_have_at_most_75_octets_and_crlf() -> None:
    content = b"".join(serialize(Format.ICAL, [TaskDraft("😀é" * 200, notes="x" * 1000)]))
    lines = content.split(b"\r\n")
    assert b"\n" not in b"".join(lines)
    assert max(map(len, lines)) == 75
    for line in lines:
        line.decode()


def _file(*lines: str) -> str:
    todo = "\r\n".join(["BEGIN:VTODO", *lines, "END:VTODO"])
    return f"BEGIN:VCALENDAR\r\n{todo}\r\nBEGIN:VTODO\r\nSUMMARY:next\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"


_HOSTILE = {
    "impossible date": (["SUMMARY:a", "DUE;VALUE=DATE:20260230"], "not a possible date"),
    "year 0": (["SUMMARY:a", "DUE:00000101T000000Z"], "not a possible date"),
    "year 9999": (["SUMMARY:a", "DUE:99991231T235959Z"], "year 9999"),
    "overflow by zone": (["SUMMARY:a", "DUE;TZID=America/New_York:99991231T235959"], "9999"),
    "no date": (["SUMMARY:a", "DUE:tomorrow"], "not an iCalendar date"),
    "unknown zone": (["SUMMARY:a", "DUE;TZID=Mars/Base:20260101T000000"], "unknown time zone"),
    "zone that is a path": (["SUMMARY:a", "DUE;TZID=../../../etc/passwd:20260101T000000"], "unknown time zone"),
    "zone that is a folder": (["SUMMARY:a", "DUE;TZID=America:20260101T000000"], "unknown time zone"),
    "endless duration": (["SUMMARY:a", "DTSTART:20260101", "DURATION:P" + "9" * 30 + "D"], "DURATION"),
    "long duration": (["SUMMARY:a", "DTSTART:20260101", "DURATION:P99999999D"], "out of the range"),
    "bad duration": (["SUMMARY:a", "DTSTART:20260101", "DURATION:soon"], "DURATION"),
    "bad priority": (["SUMMARY:a", "PRIORITY:10"], "PRIORITY '10'"),
    "huge priority": (["SUMMARY:a", "PRIORITY:" + "9" * 9000], "PRIORITY '999"),
    "bad status": (["SUMMARY:a", "STATUS:MAYBE"], "STATUS 'MAYBE'"),
    "repeated property": (["SUMMARY:a", "SUMMARY:b"], "SUMMARY appears twice"),
    "no summary": (["UID:a"], "title is empty"),
    "nothing": ([], "title is empty"),
    "no colon": (["SUMMARY"], "not an iCalendar property"),
    "open parameter": (['SUMMARY;X="a:b'], "not an iCalendar property"),
    "NUL": (["SUMMARY:a\0b"], "NUL"),
    "control": (["SUMMARY:a\x01b"], "U+0001"),
    "giant line": (["SUMMARY:" + "a" * 200_000], "at most 131,072"),
    "giant folded line": (["SUMMARY:a", *[" " + "a" * 70] * 3000], "at most 131,072"),
    "many repeated properties": (["SUMMARY:a", *["CATEGORIES:a,b,c"] * 20_000], "at most 131,072"),
    "many tags": (["SUMMARY:a", "CATEGORIES:" + ",".join(map(str, range(999)))], "999 tags"),
    "alarm that is not closed": (["SUMMARY:a", "BEGIN:VALARM"], "END:VALARM is missing"),
    "todo that is not closed": (["SUMMARY:a", "BEGIN:VTODO", "SUMMARY:b"], "END:VTODO is missing"),
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_a_hostile_todo_is_rejected_and_the_next_is_read(read: Read, name: str) -> None:
    lines, reason = _HOSTILE[name]
    rejected, *between, following = read(Format.ICAL, _file(*lines))
    assert isinstance(rejected, Rejection)
    assert reason in rejected.reason
    assert rejected.line == 2
    assert following == TaskDraft("next")
    assert between == ([TaskDraft("b")] if "todo that" in name else [])


_HARMLESS = {
    "Windows zone": ["SUMMARY:a", "DUE;TZID=Tokyo Standard Time:20260101T090000"],
    "zone behind a vendor's path": ["SUMMARY:a", "DUE;TZID=/example.org/20260101_1/Asia/Tokyo:20260101T090000"],
    "quoted zone": ["SUMMARY:a", 'DUE;TZID="Asia/Tokyo":20260101T090000'],
    "zone in three parts": ["SUMMARY:a", "DUE;TZID=America/Argentina/Salta:20251231T210000"],
    "name in lower case": ["summary:a", "due:20260101"],
    "folded name": ["SUMM", " ARY:a", "DUE:2026", "\t0101"],
    "attachment of a megabyte": ["SUMMARY:a", "ATTACH:" + "A" * 1_000_000, "DUE:20260101"],
    "twenty thousand nested components": ["SUMMARY:a", *["BEGIN:A"] * 20_000, *["END:A"] * 20_000, "DUE:20260101"],
    "twenty thousand rules": ["SUMMARY:a", "DUE:20260101", *["X-RULE:FREQ=SECONDLY"] * 20_000],
    "garbage between": ["SUMMARY:a", "garbage", ":", ";;;", "END:NOTHING", "DUE:20260101"],
}


@pytest.mark.parametrize("name", _HARMLESS)
def test_an_unusual_todo_is_read(read: Read, name: str) -> None:
    task, _ = read(Format.ICAL, _file(*_HARMLESS[name]))
    assert task == TaskDraft("a", due_at=datetime(2026, 1, 1, tzinfo=UTC))


def test_bytes_that_are_not_utf8_reject_their_todo_and_a_character_may_be_folded(read: Read) -> None:
    content = _file("SUMMARY:a\ufffe").encode().replace("\ufffe".encode(), b"\xff")
    assert read(Format.ICAL, content)[0].reason == "byte 10 (0xff) is not valid UTF-8"
    folded = _file("SUMMARY:é").encode().replace("é".encode(), b"\xc3\r\n \xa9")
    assert read(Format.ICAL, folded)[0] == TaskDraft("é")


def test_a_file_that_ends_inside_a_todo_keeps_what_came_before() -> None:
    whole, broken = parse(Format.ICAL, _file("SUMMARY:a").encode()[:-40])
    assert whole.item == TaskDraft("a")
    assert isinstance(broken.item, Rejection)
    assert "END:VTODO is missing" in broken.item.reason


def test_a_file_cut_anywhere_gives_a_report() -> None:
    content = _CALENDAR.encode()
    for end in range(0, len(content), 7):
        try:
            items = [entry.item for entry in parse(Format.ICAL, content[:end])]
        except TaskFileError:
            assert end < len("BEGIN:VCALENDAR")
        else:
            assert [item for item in items if isinstance(item, TaskDraft)] == _READ[
                : sum(isinstance(i, TaskDraft) for i in items)
            ]


@pytest.mark.parametrize(
    "content", ["", "title\na\n", "BEGIN:VCARD\nEND:VCARD\n", "BEGIN:VTODO\nSUMMARY:a\nEND:VTODO\n"]
)
def test_what_is_no_calendar_is_a_file_error(read: Read, content: str) -> None:
    with pytest.raises(TaskFileError, match="does not start with BEGIN:VCALENDAR"):
        read(Format.ICAL, content)


def test_durations_count_from_the_start(read: Read) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for text, length in {
        "P2W": timedelta(weeks=2),
        "P1DT2H": timedelta(hours=26),
        "-PT1M": timedelta(minutes=-1),
    }.items():
        task, _ = read(Format.ICAL, _file("SUMMARY:a", "DTSTART:20260101", f"DURATION:{text}"))
        assert task.due_at == start + length


def test_a_calendar_of_tiny_lines_is_a_file_error(read: Read) -> None:
    with pytest.raises(TaskFileError, match="at most 1,000,000 are allowed"):
        read(Format.ICAL, "BEGIN:VCALENDAR\n" + "a\n" * 1_000_000)
