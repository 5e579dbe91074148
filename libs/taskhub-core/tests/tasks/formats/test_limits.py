"""Limits hold before anything is imported, and the worst files are read in linear time and little memory."""

import time
import tracemalloc

import pytest

from taskhub_core.tasks.formats import MAX_BYTES, MAX_ENTRIES, Format, Rejection, TaskFileError, parse
from taskhub_core.tasks.formats import limits as limits_module

_TASKS = {
    Format.CSV: ("title\n", "a\n", ""),
    Format.JSONL: ("", '{"title":"a"}\n', ""),
    Format.TODOTXT: ("", "a\n", ""),
    Format.TASKWARRIOR: ("[\n", '{"description":"a"},\n', '{"description":"a"}]\n'),
    Format.ICAL: ("BEGIN:VCALENDAR\n", "BEGIN:VTODO\nSUMMARY:a\nEND:VTODO\n", "END:VCALENDAR\n"),
}


@pytest.mark.parametrize("file_format", Format)
def test_too_many_tasks_are_a_file_error_before_the_first_entry(file_format: Format) -> None:
    start, task, end = _TASKS[file_format]
    with pytest.raises(TaskFileError, match=r"more than 100,000 tasks\. Split it"):
        parse(file_format, (start + task * (MAX_ENTRIES + 1) + end).encode())


def test_too_many_tasks_in_one_line_are_a_file_error() -> None:
    content = b"[" + b'{"description":"a"},' * MAX_ENTRIES + b'{"description":"a"}]'
    with pytest.raises(TaskFileError, match="more than 100,000 tasks"):
        parse(Format.TASKWARRIOR, content)


@pytest.mark.parametrize("file_format", Format)
def test_a_file_over_ten_megabytes_is_a_file_error(file_format: Format) -> None:
    with pytest.raises(TaskFileError, match="at most 10,485,760 are allowed"):
        parse(file_format, b"x" * (MAX_BYTES + 1))


@pytest.mark.parametrize("file_format", Format)
@pytest.mark.parametrize("magic", limits_module._FOREIGN)
def test_a_well_known_binary_file_is_a_file_error(file_format: Format, magic: bytes) -> None:
    with pytest.raises(TaskFileError, match="not text"):
        parse(file_format, magic + b"\n\x01\x02")


@pytest.mark.parametrize("file_format", Format)
def test_a_byte_order_mark_is_not_part_of_the_first_task(file_format: Format) -> None:
    start, task, end = _TASKS[file_format]
    (entry,) = parse(
        file_format,
        b"\xef\xbb\xbf" + (start + task.rstrip(",\n") + "\n" + end[-15:].lstrip('{"acdeinoprst:}')).encode(),
    )
    assert not isinstance(entry.item, Rejection)


_SIZE = MAX_BYTES // 5


def _filled(start: bytes, unit: bytes) -> bytes:
    return start + unit * ((_SIZE - len(start)) // len(unit))


_CALENDAR = b"BEGIN:VCALENDAR\nBEGIN:VTODO\n"
_WORST = {
    "csv: a quote opens in every line": (Format.CSV, _filled(b"title,notes\n", b'a","\n' + b"x" * 120 + b"\n")),
    "csv: one quote and no more": (Format.CSV, _filled(b'title,notes\n"', b"x" * 130 + b"\n")),
    "csv: quotes only": (Format.CSV, _filled(b"title,notes\n", b'"')),
    "csv: pairs of quotes": (Format.CSV, _filled(b"title,notes\na,", b'""')),
    "csv: empty lines": (Format.CSV, _filled(b"title,notes\n", b"\r\n")),
    "csv: empty rows": (Format.CSV, _filled(b"title,notes\n", b",\n")),
    "jsonl: one line": (Format.JSONL, _filled(b"", b"{")),
    "jsonl: deep lines": (Format.JSONL, _filled(b"", b'{"a":' * 20_000 + b"\n")),
    "jsonl: repeated keys": (
        Format.JSONL,
        _filled(b"", b"{" + b",".join(b'"%d":1' % n for n in range(9_000)) + b',"8999":1}\n'),
    ),
    "todotxt: blanks": (Format.TODOTXT, _filled(b"", b" ")),
    "todotxt: blanks in a line": (Format.TODOTXT, _filled(b"", b"a" + b" " * 130_000 + b"\n")),
    "todotxt: backslashes": (Format.TODOTXT, _filled(b"", b"\\" * 130_000 + b"\n")),
    "todotxt: tags": (Format.TODOTXT, _filled(b"", b"+a " * 40_000 + b"\n")),
    "taskwarrior: brackets": (Format.TASKWARRIOR, _filled(b"", b"[")),
    "taskwarrior: empty objects": (Format.TASKWARRIOR, _filled(b'[{"a":[', b"{},")),
    "taskwarrior: objects that never close": (Format.TASKWARRIOR, _filled(b"[\n", b'{"a":\n')),
    "taskwarrior: escaped quotes": (Format.TASKWARRIOR, _filled(b'["', b'\\"')),
    "taskwarrior: escaped quotes and an end": (Format.TASKWARRIOR, _filled(b'["', b'\\"')[:-1]),
    "ical: nested components": (Format.ICAL, _filled(_CALENDAR, b"BEGIN:A\n")),
    "ical: folds": (Format.ICAL, _filled(_CALENDAR + b"SUMMARY:a\n", b" \n")),
    "ical: lines of one byte": (Format.ICAL, _filled(_CALENDAR, b"a\n")),
    "ical: parameters": (
        Format.ICAL,
        _filled(_CALENDAR, b"SUMMARY" + b";A=B" * 30_000 + b"\nEND:VTODO\nBEGIN:VTODO\n"),
    ),
    "ical: commas": (Format.ICAL, _filled(_CALENDAR, b"CATEGORIES:" + b"," * 130_000 + b"\nEND:VTODO\nBEGIN:VTODO\n")),
    "ical: backslashes": (
        Format.ICAL,
        _filled(_CALENDAR, b"CATEGORIES:" + b"\\" * 130_000 + b"\nEND:VTODO\nBEGIN:VTODO\n"),
    ),
}


@pytest.mark.parametrize("name", _WORST)
def test_the_worst_files_take_linear_time(name: str) -> None:
    file_format, content = _WORST[name]
    started = time.monotonic()
    try:
        for _ in parse(file_format, content):
            pass
    except TaskFileError:
        pass
    # Measured at 0.01 to 1 s for these 2 MB; anything quadratic takes minutes.
    assert time.monotonic() - started < 20


def test_a_parse_holds_one_task_at_a_time() -> None:
    content = _filled(b"", b'{"title": "a", "notes": "' + b"x" * 400 + b'"}\n')
    tracemalloc.start()
    try:
        for _ in parse(Format.JSONL, content):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * 1024 * 1024
