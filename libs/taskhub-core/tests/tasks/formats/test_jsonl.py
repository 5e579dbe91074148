"""JSON Lines from programs, and from hostile ones."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from taskhub_core.tasks.formats import Format, Rejection, TaskDraft, TaskFileError
from taskhub_core.tasks.status import TaskStatus

type Read = Callable[[Format, bytes | str], list[Any]]


def test_objects_are_read_with_lists_or_texts_and_names_or_numbers(read: Read) -> None:
    content = (
        '{"id": 17, "title": "Pay rent", "priority": "urgent", "tags": "home, bank", '
        '"due_at": "2026-02-01T12:00:00+02:00"}\n'
        "\r\n"
        '{"id": "x", "title": "Call", "status": "completed", "priority": 2, '
        '"tags": ["home office", "@phone"], "extra": {}}\r\n'
        '{"title": "Bare", "notes": null, "tags": null, "due_at": null}'
    )
    assert read(Format.JSONL, content) == [
        TaskDraft(
            "Pay rent", priority=4, tags=("home", "bank"), due_at=datetime(2026, 2, 1, 10, tzinfo=UTC), external_id="17"
        ),
        TaskDraft("Call", status=TaskStatus.DONE, priority=2, tags=("home-office", "@phone"), external_id="x"),
        TaskDraft("Bare"),
    ]


_HOSTILE = {
    "deep list": ('{"title": "a", "x": ' + "[" * 60_000, "nested too deeply"),
    "deep object": ('{"title": "a", "x": ' + '{"x":' * 20_000, "nested too deeply"),
    "huge integer": ('{"title": "a", "priority": ' + "9" * 5_000 + "}", "too many digits"),
    "long integer": ('{"title": "a", "priority": ' + "9" * 400 + "}", "priority '999"),
    "long id": ('{"title": "a", "id": ' + "9" * 400 + "}", "id has 400 characters"),
    "huge float": ('{"title": "a", "priority": 1e999}', "priority must be"),
    "not a number": ('{"title": "a", "priority": NaN}', "NaN is not"),
    "infinity": ('{"title": "a", "priority": -Infinity}', "-Infinity is not"),
    "float": ('{"title": "a", "priority": 1.0}', "priority must be"),
    "boolean": ('{"title": "a", "priority": true}', "priority must be"),
    "negative": ('{"title": "a", "priority": -1}', "priority '-1'"),
    "repeated key": ('{"title": "a", "title": "b"}', "'title' appears twice"),
    "repeated key inside": ('{"title": "a", "x": {"y": 1, "y": 2}}', "'y' appears twice"),
    "wrong title": ('{"title": ["a"]}', "title must be a string"),
    "wrong tags": ('{"title": "a", "tags": {"a": 1}}', "tags must be a list"),
    "wrong tag": ('{"title": "a", "tags": ["a", 1]}', "strings only"),
    "wrong time": ('{"title": "a", "due_at": 1767225600}', "due_at must be a string"),
    "no title": ('{"notes": "a"}', "title is empty"),
    "NUL": ('{"title": "a\0b"}', "NUL byte"),
    "escaped NUL": ('{"title": "a\\u0000b"}', "U+0000"),
    "lone surrogate": ('{"title": "a\\ud800b"}', "U+D800"),
    "array": ("{}[1, 2]", "not valid JSON"),
    "number": ("17", "not an object"),
    "cut off": ('{"title": "a', "not valid JSON"),
    "giant line": ('{"title": "' + "a" * 200_000 + '"}', "at most 131,072"),
    "many tags": ('{"title": "a", "tags": ' + str([f"t{n}" for n in range(99)]).replace("'", '"') + "}", "99 tags"),
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_a_hostile_line_is_rejected_and_the_next_is_read(read: Read, name: str) -> None:
    line, reason = _HOSTILE[name]
    rejected, following = read(Format.JSONL, f'{line}\n{{"title": "next"}}\n')
    assert isinstance(rejected, Rejection)
    assert reason in rejected.reason
    assert following == TaskDraft("next")


def test_bytes_that_are_not_utf8_reject_their_line_only(read: Read) -> None:
    rejected, following = read(Format.JSONL, b'{"title": "\xff\x1b"}\n{"title": "next"}')
    assert rejected == Rejection(1, "byte 12 (0xff) is not valid UTF-8", '{"title": "\\xff\\x1b"}')
    assert following == TaskDraft("next")


def test_a_json_array_is_a_file_error_that_says_what_to_do(read: Read) -> None:
    with pytest.raises(TaskFileError, match=r"JSON array, not JSON Lines \(line 2\)\. Write one object a line"):
        read(Format.JSONL, '\n[{"title": "a"}]')
