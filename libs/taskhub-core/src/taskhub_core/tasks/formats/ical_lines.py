"""The lines of iCalendar (RFC 5545): finding the VTODOs of a file, unfolding, properties, TEXT escapes.

The icalendar package reads about 1 MB/s, which is 10 s for the largest import, and turns a backslash before N in a text
into a line break when it writes. So lines and texts are read and written here; the tests hold both against that
package.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from taskhub_core.errors import InvalidInput
from taskhub_core.tasks.formats.records import Record

_LINE = re.compile(rb"[^\r\n][^\n]*")
_NAME = re.compile(rb"[A-Za-z0-9-]+")
_PROPERTY = re.compile(
    r"([A-Za-z0-9-]++)((?:;[A-Za-z0-9-]++=(?:\"[^\"]*+\"|[^\";:,]*+)(?:,(?:\"[^\"]*+\"|[^\";:,]*+))*+)*+):(.*+)",
    re.DOTALL,
)
_PARAMETER = re.compile(r";([A-Za-z0-9-]++)=(?:\"([^\"]*+)\"|([^\";:,]*+))")
_ESCAPE = re.compile(r"\\([\\;,:nN])")
_TO_ESCAPE = re.compile(r"[\\;,\n]")
_UNESCAPED_COMMA = re.compile(r",|((?:[^\\,]|\\.|\\)++)", re.DOTALL)
_FOLD_OCTETS = 75


class Property(NamedTuple):
    """One content line: its name, the first value of each parameter, and its raw value. Names are in upper case."""

    name: str
    parameters: dict[str, str]
    value: str


def unfolded(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each content line with its first physical line. A character cut in two by folding is whole again."""
    line, counted, first = 1, 0, 1
    parts: list[bytes] = []
    for match in _LINE.finditer(content):
        line, counted = line + content.count(b"\n", counted, match.start()), match.start()
        part = match[0].removesuffix(b"\r")
        if parts and part[:1] in (b" ", b"\t"):
            parts.append(part[1:])
            continue
        if parts:
            yield first, b"".join(parts)
        first, parts = line, [part]
    if parts:
        yield first, b"".join(parts)


class TodoFinder:
    """Yields the VTODOs of a calendar as records of the wanted properties only: an attachment costs nothing.

    Other components, and those inside a VTODO (alarms), are passed over. A VTODO that is not closed has that as its
    problem.
    """

    def __init__(self, content: bytes, wanted: frozenset[str]) -> None:
        self._content = content
        self._wanted = frozenset(name.encode() for name in wanted)
        self._start = 0
        self._inside: list[bytes] = []
        self._kept: list[bytes] = []

    def todos(self) -> Iterator[Record]:
        """Yield each VTODO."""
        for number, line in unfolded(self._content):
            name = match[0].upper() if (match := _NAME.match(line)) else b""
            if name in (b"BEGIN", b"END"):
                yield from self._turn(number, name, line[len(name) + 1 :].strip().upper())
            elif self._start and not self._inside and name in self._wanted:
                self._kept.append(line)
        if self._start:
            yield self._close("the VTODO is not closed: END:VTODO is missing")

    def _turn(self, number: int, name: bytes, component: bytes) -> Iterator[Record]:
        if component in (b"VTODO", b"VCALENDAR"):
            if self._start:
                yield self._close(self._fault(closed=name == b"END" and component == b"VTODO"))
            if name == b"BEGIN" and component == b"VTODO":
                self._start = number
        elif self._start and name == b"BEGIN":
            self._inside.append(component)
        elif self._start and self._inside and self._inside[-1] == component:
            self._inside.pop()

    def _fault(self, *, closed: bool) -> str | None:
        if not closed:
            return "the VTODO is not closed: END:VTODO is missing"
        if self._inside:
            return f"END:{self._inside[-1][:40].decode(errors='replace')} is missing in the VTODO"
        return None

    def _close(self, problem: str | None) -> Record:
        record = Record(self._start, b"\n".join(self._kept), problem)
        self._start, self._inside, self._kept = 0, [], []
        return record


def read_property(line: str) -> Property:
    """Split a content line. Raises InvalidInput when it is not one."""
    match = _PROPERTY.fullmatch(line)
    if match is None:
        raise InvalidInput(f"not an iCalendar property: {line[:40]!a}")
    name, parameters, value = match.groups()
    named = {found[1].upper(): found[2] or found[3] or "" for found in _PARAMETER.finditer(parameters)}
    return Property(name.upper(), named, value)


def read_text(value: str) -> str:
    """Undo the escapes of a TEXT value."""
    return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def read_texts(value: str) -> list[str]:
    """Split a list of TEXT values at the commas that are not escaped, and undo the escapes."""
    return [read_text(match[1]) for match in _UNESCAPED_COMMA.finditer(value) if match[1]]


def write_text(text: str) -> str:
    """Escape a text as a TEXT value."""
    return _TO_ESCAPE.sub(lambda match: "\\n" if match[0] == "\n" else f"\\{match[0]}", text)


def write_line(name: str, value: str) -> bytes:
    """Return the content line, folded at 75 octets between characters, with its line end."""
    octets = f"{name}:{value}".encode()
    lines = []
    limit = _FOLD_OCTETS
    while len(octets) > limit:
        cut = limit
        while octets[cut] & 0xC0 == 0x80:  # inside a character
            cut -= 1
        lines.append(octets[:cut])
        octets = octets[cut:]
        limit = _FOLD_OCTETS - 1  # the blank of a continuation counts
    return b"\r\n ".join([*lines, octets]) + b"\r\n"
