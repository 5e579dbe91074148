"""The limits of a task file, and the checks that hold for every format before the first entry is read."""

from taskhub_core.errors import InvalidInput

MAX_BYTES = 10 * 1024 * 1024
MAX_ENTRIES = 100_000
# The longest valid task (20,000 characters of notes at four bytes each) is an 80 KB line, and must survive a round
# trip.
MAX_RECORD_BYTES = 128 * 1024

_BOM = b"\xef\xbb\xbf"
_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive or an Office document",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"%PDF-": "a PDF document",
    b"\x1f\x8b": "gzip-compressed",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"SQLite format 3\0": "an SQLite database",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


class TaskFileError(InvalidInput):
    """The file as a whole cannot be read as the format: says what is wrong, where (a line, from 1) and what to do."""

    def __init__(self, what: str, *, todo: str, line: int | None = None) -> None:
        where = "" if line is None else f" (line {line})"
        super().__init__(f"{what}{where}. {todo}", field="file")
        self.line = line


def checked(content: bytes) -> bytes:
    """Return the content without a byte order mark and with line ends that contain `\\n`.

    Raises TaskFileError for a file over MAX_BYTES and for well-known binary formats.
    """
    if len(content) > MAX_BYTES:
        raise TaskFileError(
            f"The file has {len(content):,} bytes; at most {MAX_BYTES:,} are allowed",
            todo="Split it into smaller files and import one after the other.",
        )
    for magic, name in _FOREIGN.items():
        if content.startswith(magic):
            raise TaskFileError(f"The file is {name}, not text", todo="Export it as UTF-8 text and try again.", line=1)
    content = content.removeprefix(_BOM)
    if b"\n" not in content:  # line ends of the classic Mac OS
        return content.replace(b"\r", b"\n")
    return content


def too_many_entries() -> TaskFileError:
    """The error for a file with more than MAX_ENTRIES tasks."""
    return TaskFileError(
        f"The file has more than {MAX_ENTRIES:,} tasks",
        todo="Split it into smaller files and import one after the other.",
    )
