"""Whatever the bytes, a parse ends with entries or with one TaskFileError."""

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskhub_core.tasks.formats import Format, Rejection, TaskDraft, TaskFileError, parse

_STARTS = {
    Format.CSV: [b"title,notes,due_at\n", b"title;tags\r\n", b'"title"\t"id"\n', b"sep=;\ntitle;id\n", b""],
    Format.JSONL: [b'{"title": "a"}\n', b""],
    Format.TODOTXT: [b"x 2026-01-01 ", b"(A) ", b""],
    Format.TASKWARRIOR: [b"[\n", b"[", b'[{"description": "a"},', b""],
    Format.ICAL: [b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\n", b"BEGIN:VCALENDAR\n", b""],
}
_PIECES = st.sampled_from(
    [
        b'{"title": "a", "priority": 2}\n',
        b'{"description": "a", "due": "20260101T000000Z"},\n',
        b'"',
        b'""',
        b",",
        b";",
        b"\t",
        b"\n",
        b"\r\n",
        b"\r",
        b" ",
        b"[",
        b"]",
        b"{",
        b"}",
        b":",
        b"\\",
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xef\xbb\xbf",
        b"due:",
        b"+",
        b"BEGIN:VTODO\r\n",
        b"END:VTODO\r\n",
        b"BEGIN:VALARM\n",
        b"SUMMARY:a\r\n",
        b"DUE;TZID=",
        b"Europe/Berlin:",
        b"20260230T",
        b"DTSTART:20260101\nDURATION:P",
        b"RRULE:FREQ=DAILY\n",
        b"UID:1\n",
        b"END:VCALENDAR\n",
        b"1e999",
        b"NaN",
        b"9" * 50,
        b'"tags": ["a b", 1]',
        b'"due_at": "2026-01-01"',
        b"2026-01-01 ",
        b"x ",
        b"'=1",
        b"\xed\xa0\x80",
        b'"\\ud800"',
    ]
)
_BYTES = st.lists(_PIECES | st.binary(max_size=12), max_size=25).map(b"".join)


@pytest.mark.parametrize("file_format", Format)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_bytes_end_in_entries_or_one_file_error(file_format: Format, data: st.DataObject) -> None:
    content = data.draw(st.sampled_from(_STARTS[file_format])) + data.draw(_BYTES)
    most = len(content) + 1
    try:
        entries = list(islice(parse(file_format, content), most))
    except TaskFileError:
        return
    assert len(entries) < most
    assert [entry.index for entry in entries] == list(range(1, len(entries) + 1))
    lines = [entry.line for entry in entries]
    assert all(1 <= line <= content.count(b"\n") + content.count(b"\r") + 1 for line in lines)
    assert lines == sorted(lines)
    for entry in entries:
        assert isinstance(entry.item, TaskDraft | Rejection)
        if isinstance(entry.item, Rejection):
            assert entry.item.line == entry.line
            assert entry.item.reason
            assert len(entry.item.excerpt) <= 200
            assert entry.item.excerpt.isprintable()
            entry.item.reason.encode()
    assert entries == list(parse(file_format, content))
