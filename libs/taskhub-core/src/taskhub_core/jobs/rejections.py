"""The entries that an import turned down: kept as rows while it runs, and given to its owner as a CSV file."""

import csv
import io
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

MAX_LISTED = 5_000
"""How many are kept. More would not help anyone, and the report must fit a file."""

# What spreadsheets run as a formula when a cell begins with it, full-width forms included.
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")

_ADD = text(
    """
    INSERT INTO import_rejections (job_id, entry, line, reason, excerpt)
    SELECT :job_id, * FROM unnest(
        CAST(:entries AS int[]), CAST(:lines AS int[]), CAST(:reasons AS text[]), CAST(:excerpts AS text[]))
    ON CONFLICT DO NOTHING
    """
)
_LIST = text("SELECT line, reason, excerpt FROM import_rejections WHERE job_id = :job_id ORDER BY entry")


@dataclass(frozen=True, slots=True)
class RejectedEntry:
    """An entry of the file that did not become a task."""

    entry: int
    line: int
    reason: str
    excerpt: str


def add(connection: Connection, job_id: uuid.UUID, rejected: Sequence[RejectedEntry]) -> None:
    """Keeps them. Repeating is harmless."""
    if rejected:
        connection.execute(
            _ADD,
            {
                "job_id": job_id,
                "entries": [each.entry for each in rejected],
                "lines": [each.line for each in rejected],
                "reasons": [each.reason for each in rejected],
                "excerpts": [each.excerpt for each in rejected],
            },
        )


def report(connection: Connection, job_id: uuid.UUID, *, total: int) -> bytes:
    """The CSV report (line, reason, excerpt), harmless in a spreadsheet. `total` counts those not listed, too."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(("line", "reason", "excerpt"))
    listed = 0
    for row in connection.execute(_LIST, {"job_id": job_id}):
        writer.writerow((row.line, _harmless(row.reason), _harmless(row.excerpt)))
        listed += 1
    if total > listed:
        writer.writerow(("", f"{total - listed} more are not listed. Correct these and import the file again.", ""))
    return buffer.getvalue().encode("utf-8-sig")  # with a byte order mark: spreadsheets take it for Latin-1 otherwise


def _harmless(cell: str) -> str:
    return "'" + cell if _FORMULA.match(cell) else cell
