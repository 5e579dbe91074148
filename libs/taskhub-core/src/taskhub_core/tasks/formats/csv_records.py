"""Splits CSV into rows so that one unclosed quote costs its own line and never the rest of the file.

The csv module reads on to the end of the file when a quote is left open. Here a quoted field must close, as RFC 4180
says, before a delimiter or a line end and within MAX_RECORD_BYTES; otherwise its first line is a problem of its own and
reading goes on at the next.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto

from taskhub_core.tasks.formats.limits import MAX_RECORD_BYTES
from taskhub_core.tasks.formats.records import Record

_LINE = re.compile(rb"[^\n]+")
_UNCLOSED = "a quoted field that starts in this line is not closed properly"


class _End(Enum):
    """How a line ends: outside quotes, inside them, or after a quote that closed in the wrong place."""

    CLOSED = auto()
    OPEN = auto()
    BROKEN = auto()


class RowSplitter:
    """Yields the rows of a CSV file as records, in linear time: no stretch is searched twice for a closing quote."""

    def __init__(self, content: bytes, delimiter: str) -> None:
        self._content = content
        self._delimiter = delimiter.encode()
        # A row of empty cells, which spreadsheets append by the thousand, counts as blank.
        cell = re.escape(self._delimiter)
        self._blank = re.compile(rb"(?:[%s \t\r]*+\n)*+(?:[%s \t\r]*+\Z)?" % (cell, cell))
        # Up to here the file has been searched for the end of an open quote, and what the search had found.
        self._searched = 0
        self._found = _End.OPEN

    def rows(self) -> Iterator[Record]:
        """Yield each row that is not blank."""
        line, counted = 1, 0
        for record_start, record_end, problem in self._spans():
            line += self._content.count(b"\n", counted, record_start)
            counted = record_start
            yield Record(line, self._content[record_start:record_end], problem)

    def _spans(self) -> Iterator[tuple[int, int, str | None]]:
        position = 0
        while (blank := self._blank.match(self._content, position)) and (
            match := _LINE.match(self._content, blank.end())
        ):
            start, position = match.span()
            problem = None
            if b'"' in match[0] and len(match[0]) <= MAX_RECORD_BYTES:
                end = self._line_end(start, position, is_open=False)
                closing = self._closing(start, position) if end is _End.OPEN else position
                if end is _End.BROKEN or closing is None:
                    problem = _UNCLOSED
                else:
                    position = closing
            yield start, position, problem

    def _closing(self, start: int, position: int) -> int | None:
        """Return where the row from `start`, open at the line end `position`, ends; None if it never closes properly.

        A line that ends open inside a stretch that was searched before continues as that search did.
        """
        found = _End.OPEN
        if position < self._searched:
            position, found = self._searched, self._found
        while found is _End.OPEN and position < len(self._content):
            next_end = self._content.find(b"\n", position + 1)
            next_end = len(self._content) if next_end < 0 else next_end
            found = self._line_end(position + 1, next_end, is_open=True)
            position = next_end
        if found is _End.CLOSED and position - start <= MAX_RECORD_BYTES:
            return position
        self._searched, self._found = position, found
        return None

    def _line_end(self, position: int, end: int, *, is_open: bool) -> _End:
        content, delimiter = self._content, self._delimiter
        while True:
            if not is_open:
                if content[position : position + 1] != b'"':
                    position = content.find(delimiter + b'"', position, end) + 1
                    if position == 0:
                        return _End.CLOSED
                position += 1
            quote = content.find(b'"', position, end)
            if quote < 0:
                return _End.OPEN
            after = content[quote + 1 : min(quote + 2, end)]
            if after in (b"", b"\r"):
                return _End.CLOSED
            if after not in (b'"', delimiter):
                return _End.BROKEN
            is_open = after == b'"'
            position = quote + 2
