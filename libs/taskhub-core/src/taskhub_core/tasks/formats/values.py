"""How statuses, priorities, times and tags are spelled in files, shared by the formats."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from taskhub_core.errors import InvalidInput
from taskhub_core.tasks.status import TaskStatus

_STATUSES = {
    **{status.value: status for status in TaskStatus},
    "todo": TaskStatus.OPEN,
    "pending": TaskStatus.OPEN,
    "needs_action": TaskStatus.OPEN,
    "doing": TaskStatus.IN_PROGRESS,
    "started": TaskStatus.IN_PROGRESS,
    "in_process": TaskStatus.IN_PROGRESS,
    "complete": TaskStatus.DONE,
    "completed": TaskStatus.DONE,
    "canceled": TaskStatus.CANCELLED,
    "deleted": TaskStatus.CANCELLED,
}
_PRIORITIES = {"none": 0, "low": 1, "medium": 2, "high": 3, "urgent": 4}
_TIME_CHARS = 40  # the longest ISO 8601 time with an offset is shorter
_TAG_BREAK = re.compile(r"[\s,\x00-\x1f\x7f-\x9f]+")


def read_status(text: str) -> TaskStatus:
    """Return the status for its name or a common synonym, in any case; empty is open. Raises InvalidInput."""
    name = text.strip().lower().replace("-", "_").replace(" ", "_")
    if not name:
        return TaskStatus.OPEN
    try:
        return _STATUSES[name]
    except KeyError:
        raise InvalidInput(f"status {_shown(text)} is none of {', '.join(TaskStatus)}", field="status") from None


def read_priority(text: str) -> int:
    """Return the priority for 0 to 4 or for none, low, medium, high, urgent; empty is 0. Raises InvalidInput."""
    name = text.strip().lower()
    if not name:
        return 0
    if name in _PRIORITIES:
        return _PRIORITIES[name]
    if len(name) == 1 and name in "01234":
        return int(name)
    raise InvalidInput(
        f"priority {_shown(text)} is neither 0 to 4 nor one of {', '.join(_PRIORITIES)}", field="priority"
    )


def read_time(field: str, text: str) -> datetime | None:
    """Return the time for an ISO 8601 text, basic or extended; empty is none. Raises InvalidInput.

    A time without a zone is taken as UTC, a date without a time as its midnight in UTC.
    """
    text = text.strip()
    if not text:
        return None
    try:
        if len(text) > _TIME_CHARS:
            raise ValueError
        value = datetime.fromisoformat(text)
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    except ValueError as error:
        detail = "is not a date or time like 2026-01-31 or 2026-01-31T09:30:00Z"
        raise InvalidInput(f"{field} {_shown(text)} {detail}", field=field) from error


def clean_tags(texts: Iterable[str]) -> tuple[str, ...]:
    """Make tags of labels from elsewhere: blanks and commas inside become `-`, empty ones and repeats are dropped."""
    tags = ("-".join(part for part in _TAG_BREAK.split(text) if part) for text in texts)
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def split_tags(text: str) -> tuple[str, ...]:
    """Return the tags of a text that separates them by commas or blanks."""
    return tuple(dict.fromkeys(tag for tag in re.split(r"[\s,]+", text) if tag))


def write_time(value: datetime | None) -> str:
    """Return the time as extended ISO 8601 in UTC with `Z`, without losing microseconds; none is empty."""
    return "" if value is None else value.isoformat().replace("+00:00", "Z")


def write_basic_time(value: datetime) -> str:
    """Return the time as YYYYMMDDTHHMMSSZ, cut to whole seconds."""
    return value.strftime("%Y%m%dT%H%M%SZ")


def with_remark(notes: str, remark: str) -> str:
    """Return the notes with a remark as their last paragraph."""
    return f"{notes}\n\n{remark}" if notes else remark


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _TIME_CHARS else text[:_TIME_CHARS] + "...")
