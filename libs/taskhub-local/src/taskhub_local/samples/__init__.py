"""Sample files of tasks, one a format, for `taskhub demo` and for trying the import by hand."""

from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Sample:
    """A file that ships with the package, and what the import should make of it."""

    name: str
    format: str
    content_type: str
    accepted: int
    rejected: int = 0

    def read(self) -> bytes:
        """Return the file's content."""
        return files(__package__).joinpath(self.name).read_bytes()


SAMPLES = (
    Sample("household.todo.txt", "todotxt", "text/plain", accepted=30),
    Sample("garden.taskwarrior.json", "taskwarrior", "application/json", accepted=14),
    Sample("office-move.ics", "ical", "text/calendar", accepted=12),
    Sample("website.jsonl", "jsonl", "application/x-ndjson", accepted=24),
    # Two rows are wrong on purpose, as in most spreadsheets: the import reports them and takes the rest.
    Sample("workshop.csv", "csv", "text/csv", accepted=400, rejected=2),
)
