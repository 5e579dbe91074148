"""A task as files carry it: the one shape that every format is read into and written from."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from taskhub_core.errors import InvalidInput
from taskhub_core.tasks.status import TaskStatus

TITLE_CHARS = 500
NOTES_CHARS = 20_000
TAG_CHARS = 50
TAGS_PER_TASK = 20
EXTERNAL_ID_CHARS = 200
PRIORITY_URGENT = 4
# Outside these years a date is a typing error or a sentinel, and conversions between time zones can leave datetime's
# range.
YEARS = range(1900, 9999)

_LINE_BREAK = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
_NOTES_BREAK = re.compile(r"\r\n|[\r\v\f]")
# NUL cannot be stored by PostgreSQL, surrogates cannot be encoded, and the rest has no meaning in a text.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_NOT_IN_TAG = re.compile(r"[\s,\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """A valid task that is not stored yet.

    Construction normalises: the title becomes one stripped line, line ends in notes become `\\n`, tags lose repeats,
    times become UTC. It raises InvalidInput, with `field` set, for what cannot be made valid. `external_id` is the id
    in the source: a second import of the same id updates instead of duplicating.
    """

    title: str
    notes: str = ""
    status: TaskStatus = TaskStatus.OPEN
    priority: int = 0
    due_at: datetime | None = None
    tags: tuple[str, ...] = ()
    created_at: datetime | None = None
    completed_at: datetime | None = None
    external_id: str | None = None

    def __post_init__(self) -> None:
        store = object.__setattr__  # the class is frozen; this is its own construction
        store(self, "title", _title(self.title))
        store(self, "notes", _text("notes", _NOTES_BREAK.sub("\n", self.notes), NOTES_CHARS))
        if not 0 <= self.priority <= PRIORITY_URGENT:
            raise InvalidInput(f"priority must be 0 to {PRIORITY_URGENT}, not {self.priority}", field="priority")
        if self.tags:
            store(self, "tags", _tags(self.tags))
        for name in ("due_at", "created_at", "completed_at"):
            value = getattr(self, name)
            if value is not None:
                store(self, name, _utc(name, value))
        if self.external_id is not None:
            external_id = _LINE_BREAK.sub(" ", self.external_id).strip()
            store(self, "external_id", _text("id", external_id, EXTERNAL_ID_CHARS) or None)


def _text(field: str, value: str, limit: int) -> str:
    if len(value) > limit:
        raise InvalidInput(f"{field} has {len(value)} characters; at most {limit} are allowed", field=field)
    if bad := _UNPRINTABLE.search(value):
        raise InvalidInput(f"{field} contains the control or broken character U+{ord(bad[0]):04X}", field=field)
    return value


def _title(value: str) -> str:
    title = _text("title", _LINE_BREAK.sub(" ", value).strip(), TITLE_CHARS)
    if not title:
        raise InvalidInput("title is empty", field="title")
    return title


def _tags(values: tuple[str, ...]) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(value.strip() for value in values))
    if len(tags) > TAGS_PER_TASK:
        raise InvalidInput(f"the task has {len(tags)} tags; at most {TAGS_PER_TASK} are allowed", field="tags")
    for tag in tags:
        if not tag:
            raise InvalidInput("a tag is empty", field="tags")
        if len(tag) > TAG_CHARS:
            raise InvalidInput(f"a tag has {len(tag)} characters; at most {TAG_CHARS} are allowed", field="tags")
        if bad := _NOT_IN_TAG.search(tag):
            raise InvalidInput(f"a tag contains {bad[0]!a}; blanks, commas and controls are not allowed", field="tags")
    return tags


def _utc(field: str, value: datetime) -> datetime:
    if value.tzinfo is None:
        raise InvalidInput(f"{field} has no time zone", field=field)
    try:
        in_utc = value.astimezone(UTC)
    except OverflowError:
        in_utc = value  # only years 1 and 9999 overflow, and those are refused below
    if in_utc.year not in YEARS:
        raise InvalidInput(
            f"{field} is in year {in_utc.year}; years {YEARS[0]} to {YEARS[-1]} are allowed", field=field
        )
    return in_utc
