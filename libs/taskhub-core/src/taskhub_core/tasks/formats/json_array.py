"""Finds the elements of a JSON array without decoding them: in linear time, at any depth, in little memory."""

import re
from collections.abc import Iterator

from taskhub_core.tasks.formats.limits import TaskFileError
from taskhub_core.tasks.formats.records import Record

# A string, also one that the file's end cuts off (else every quote in it would be tried again as a start), or a mark of
# structure.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[{}\[\],]', re.DOTALL)
_TODO = "Export the file again; it may have been cut off or edited."


def array_records(content: bytes) -> Iterator[Record]:
    """Yield each element of the array that the content is. Raises TaskFileError where the array itself is broken.

    An element is only delimited here: whether it is valid JSON shows when it is decoded.
    """
    opening = content.find(b"[")
    if content[: max(opening, 0)].strip() or opening < 0:
        raise TaskFileError("The file is not a JSON array", todo=_TODO, line=1)
    start, line, counted, depth, number = opening + 1, 1, 0, 0, 0
    for token in _TOKEN.finditer(content, opening + 1):
        mark = token[0]
        if mark in (b"{", b"["):
            depth += 1
        elif mark in (b"}", b"]") and depth:
            depth -= 1
        elif not depth and mark in (b",", b"]"):
            raw = content[start : token.start()]
            begin = start + len(raw) - len(raw.lstrip())
            line, counted = line + content.count(b"\n", counted, begin), begin
            if raw.strip() or mark == b"," or number:
                yield Record(line, raw.strip())
            if mark == b"]":
                return _end(content, token.end(), line)
            start, number = token.end(), number + 1
    raise TaskFileError("The JSON array is not closed", todo=_TODO, line=line)


def _end(content: bytes, position: int, line: int) -> None:
    if content[position:].strip():
        raise TaskFileError("There is more after the end of the JSON array", todo=_TODO, line=line)
