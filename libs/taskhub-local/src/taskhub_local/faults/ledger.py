"""The ledger: one entry for each request that the driver sent, kept in a file that only grows.

Each request leaves two lines: one before it is sent, one when it was answered. A driver that is killed in between
leaves a request of unknown outcome, never a write that nobody knows of.

Every line is one write(2) to a file opened for appending, without a buffer in this process and without fsync. What the
driver breaks are processes; the page cache outlives all of them, the driver's own included. A machine that loses power
ends the whole run, so an fsync for each line would only slow the load down. `close` syncs once, for the archive.
"""

import os
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson


class Operation(StrEnum):
    """What a request asked for."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    SUBMIT = "submit"
    READ = "read"
    SEARCH = "search"
    UPLOAD = "upload"
    """A file for an import: nothing until a job names it."""

    @property
    def writes(self) -> bool:
        """Whether it changes anything that the verdict asks for."""
        return self not in {Operation.READ, Operation.SEARCH, Operation.UPLOAD}


class Outcome(StrEnum):
    """What its client may conclude from the answer."""

    ACKNOWLEDGED = "acknowledged"
    """2xx: it is done, and stays done."""
    REFUSED = "refused"
    """Nothing was changed: a 4xx, a 503 that says so, or a connection that was never opened."""
    UNKNOWN = "unknown"
    """Done or not: no answer came, or one that leaves it open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is known of a request before it is sent."""

    operation: Operation
    key: str
    """The Idempotency-Key: all tries of one write share it. Reads have one of their own."""
    task_id: uuid.UUID | None = None
    """The task that is changed, deleted or read."""
    job_id: uuid.UUID | None = None
    job_kind: str | None = None
    size: int = 0
    """How many effects beside its end a job has: steps, or imported tasks."""
    marker: str = ""
    """The title that a create or a change leaves in the task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int | None
    """The HTTP status; None when there was no answer."""
    outcome: Outcome
    seconds: float
    detail: str = ""
    """The problem's slug, or the name of the client's error."""
    task_id: uuid.UUID | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request and, unless the driver died or the run ended first, its answer."""

    number: int
    request: Request
    sent_at: float
    """Unix time."""
    answer: Answer | None = None

    @property
    def outcome(self) -> Outcome:
        """Unknown without an answer."""
        return Outcome.UNKNOWN if self.answer is None else self.answer.outcome


class Ledger:
    """Appends entries to a file and keeps them at hand. Threads may share it."""

    def __init__(self, path: Path) -> None:
        """Begin a new file. Raises FileExistsError rather than write into another run's."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._entries: dict[int, Entry] = {}
        self._lock = threading.Lock()

    @property
    def entries(self) -> list[Entry]:
        """Every entry, in the order in which the requests were sent."""
        with self._lock:
            return list(self._entries.values())

    def unanswered(self, *, before: float) -> list[Entry]:
        """Return what was sent before that Unix time and has no answer yet."""
        return [entry for entry in self.entries if entry.answer is None and entry.sent_at < before]

    def sent(self, request: Request) -> int:
        """Record a request that is about to be sent, and return its number. Call it before the first byte leaves."""
        with self._lock:
            entry = Entry(number=len(self._entries) + 1, request=request, sent_at=time.time())
            self._append({"sent": entry.number, "at": entry.sent_at, **_present(request)})
            self._entries[entry.number] = entry
        return entry.number

    def answered(self, number: int, answer: Answer) -> None:
        """Record what became of a request."""
        with self._lock:
            self._append({"answered": number, **_present(answer)})
            self._entries[number] = replace(self._entries[number], answer=answer)

    def close(self) -> None:
        """Sync the file to disk and close it. Idempotent."""
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, line: Mapping[str, Any]) -> None:
        os.write(self._file, orjson.dumps(line) + b"\n")


def read_ledger(path: Path) -> list[Entry]:
    """Return the entries of a file, also of a driver that was killed. Raises ValueError for a damaged line."""
    entries: dict[int, Entry] = {}
    for text in path.read_bytes().split(b"\n")[:-1]:  # a last line without its end was never complete
        line = orjson.loads(text)
        if "sent" in line:
            number, at = line.pop("sent"), line.pop("at")
            entries[number] = Entry(number=number, request=_request(line), sent_at=at)
        else:
            number = line.pop("answered")
            entries[number] = replace(entries[number], answer=_answer(line))
    return list(entries.values())


def _present(value: Request | Answer) -> dict[str, Any]:
    return {name: item for name in value.__slots__ if (item := getattr(value, name)) not in {None, ""}}


def _request(line: dict[str, Any]) -> Request:
    return Request(**{**_with_ids(line), "operation": Operation(line["operation"])})


def _answer(line: dict[str, Any]) -> Answer:
    return Answer(**{"status": None, **_with_ids(line), "outcome": Outcome(line["outcome"])})


def _with_ids(line: dict[str, Any]) -> dict[str, Any]:
    return {name: uuid.UUID(item) if name in {"task_id", "job_id"} else item for name, item in line.items()}
