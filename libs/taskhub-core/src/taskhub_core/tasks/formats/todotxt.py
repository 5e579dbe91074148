"""todo.txt: one task a line, by the public rules of the format, with key:value pairs for what those rules leave out.

    x (A) 2026-01-03 2026-01-01 Pay the rent +home @bank due:2026-01-05 id:42

`+project` becomes the tag `project`, `@context` the tag `@context`. Priority A is urgent, B high, C medium, D to Z low.
Own keys: due, pri (the priority of a completed task), status (in_progress, cancelled), id, and created and completed
where the format's own dates cannot hold the time. Other pairs (rec:, t:, https:) stay in the title. A word of a title
that would be read as one of these is written with a backslash before it. Not carried: notes, and fractions of a second.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from urllib.parse import quote, unquote

from taskhub_core.errors import InvalidInput
from taskhub_core.tasks.formats.draft import TaskDraft
from taskhub_core.tasks.formats.limits import TaskFileError, checked
from taskhub_core.tasks.formats.records import Entry, Record, chunked, entries, line_count, line_records, text_of
from taskhub_core.tasks.formats.values import clean_tags, read_time, write_basic_time
from taskhub_core.tasks.status import TaskStatus

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_OPEN = re.compile(rf"(?:\((?P<priority>[A-Z])\) )?(?:(?P<created>{_DATE}) )?")
_CLOSED = re.compile(rf"x (?:\((?P<priority>[A-Z])\) )?(?:(?P<completed>{_DATE}) (?:(?P<created>{_DATE}) )?)?")
_PAIR = re.compile(r"(due|pri|status|id|created|completed):(.+)")
_MARKUP = re.compile(rf"\\*(?:[+@].|{_PAIR.pattern})")
_OTHER_FORMAT = re.compile(r'\[|\[?\{"?|\[?\{".*|BEGIN:VCALENDAR')
# What would be read as the head of a line, as another format, or taken away from the start of a file.
_FIRST_MARKUP = re.compile(rf"\\*(?:x|\([A-Z]\)|{_DATE}|{_OTHER_FORMAT.pattern}|(?:\ufeff|%PDF-).*)")
_LETTERS = {4: "A", 3: "B", 2: "C", 1: "D"}
_PRIORITIES = {letter: priority for priority, letter in _LETTERS.items()}


def parse(content: bytes, *, skip: int = 0) -> Iterator[Entry]:
    """Yield an entry for each line that is not blank, after the first `skip`. Raises TaskFileError."""
    content = checked(content)
    first = next(line_records(content), None)
    if first is not None and _OTHER_FORMAT.fullmatch(first.raw.decode(errors="replace")):
        raise TaskFileError(
            "The file is JSON or iCalendar, not todo.txt", todo="Choose its own format.", line=first.line
        )
    return entries(lambda: line_records(content), _task, lines=line_count(content), skip=skip)


def serialize(tasks: Iterable[TaskDraft]) -> Iterator[bytes]:
    """Yield the file in chunks."""
    return chunked(_line(task).encode() for task in tasks)


def _task(record: Record) -> TaskDraft:
    text = text_of(record).replace("\t", " ").strip()
    closed = _CLOSED.match(text)
    head = closed or _OPEN.match(text)
    assert head is not None  # every part of an open line's head may be missing
    fields = head.groupdict()
    words, tags, pairs = _split(text[head.end() :])
    return TaskDraft(
        title=" ".join(words),
        status=TaskStatus(pairs.get("status") or (TaskStatus.DONE if closed else TaskStatus.OPEN)),
        priority=_priority(pairs.get("pri") or fields.get("priority")),
        due_at=read_time("due", pairs.get("due", "")),
        tags=tuple(tags),
        created_at=read_time("created", pairs.get("created") or fields.get("created") or ""),
        completed_at=read_time("completed", pairs.get("completed") or fields.get("completed") or ""),
        external_id=unquote(pairs.get("id", "")),
    )


def _split(text: str) -> tuple[list[str], list[str], dict[str, str]]:
    """Sort the words after the head into those of the title, tags and pairs. Raises InvalidInput for a repeated key."""
    words: list[str] = []
    tags: list[str] = []
    pairs: dict[str, str] = {}
    for place, word in enumerate(text.split(" ")):
        if word.startswith("\\"):
            words.append(_unescaped(word, first=place == 0))
        elif tag := _tag(word):
            tags.append(tag)
        elif (pair := _PAIR.fullmatch(word)) and _is_meant(pair[1], pair[2]):
            if pair[1] in pairs:
                raise InvalidInput(f"{pair[1]}: appears twice in the line")
            pairs[pair[1]] = pair[2]
        else:
            words.append(word)
    return words, list(clean_tags(dict.fromkeys(tags))), pairs


def _tag(word: str) -> str:
    return word.removeprefix("+") if word.startswith(("+", "@")) and word[1:].strip(",") else ""


def _is_meant(key: str, value: str) -> bool:
    """Tell a pair from prose such as `status:500`. A due date counts always: losing one in silence would do harm."""
    if key == "status":
        return value in TaskStatus
    if key == "pri":
        return len(value) == 1 and "A" <= value <= "Z"
    if key in ("created", "completed"):
        return value[:4].isdecimal()
    return True


def _priority(letter: str | None) -> int:
    return _PRIORITIES.get(letter, 1) if letter else 0


def _line(task: TaskDraft) -> str:
    closed = task.status in (TaskStatus.DONE, TaskStatus.CANCELLED)
    # A closed line has its completion date first, so a creation date needs one before it.
    completed = _date(task.completed_at) if closed else ""
    created = _date(task.created_at) if completed or not closed else ""
    priority = _LETTERS.get(task.priority, "")
    words = ["x" if closed else f"({priority})" if priority else "", completed, created, _escaped_title(task.title)]
    words += [tag if tag.startswith("@") and len(tag) > 1 else f"+{tag}" for tag in task.tags]
    pairs = {
        "pri": priority if closed else "",
        "due": _time(task.due_at),
        "status": task.status.value if task.status in (TaskStatus.IN_PROGRESS, TaskStatus.CANCELLED) else "",
        "created": "" if _time(task.created_at) == created else _time(task.created_at),
        "completed": "" if _time(task.completed_at) == completed else _time(task.completed_at),
        "id": re.sub(r"[\s%]", lambda blank: quote(blank[0]), task.external_id or ""),
    }
    words += [f"{key}:{value}" for key, value in pairs.items() if value]
    return " ".join(word for word in words if word) + "\n"


def _date(value: datetime | None) -> str:
    return "" if value is None else value.date().isoformat()


def _time(value: datetime | None) -> str:
    """Return the date alone for midnight, else the basic form, which has no colons, as values of pairs must not."""
    if value is None:
        return ""
    time = write_basic_time(value)
    return _date(value) if time.endswith("T000000Z") else time


def _escaped_title(title: str) -> str:
    words = title.split(" ")
    return " ".join(f"\\{word}" if _is_markup(word, first=place == 0) else word for place, word in enumerate(words))


def _unescaped(word: str, *, first: bool) -> str:
    return word[1:] if _is_markup(word, first=first) else word


def _is_markup(word: str, *, first: bool) -> bool:
    return bool(_MARKUP.match(word) or (first and _FIRST_MARKUP.fullmatch(word)))
