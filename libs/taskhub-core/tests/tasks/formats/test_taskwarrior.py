"""What `task export` writes, in its layout and in others."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from taskhub_core.tasks.formats import Format, Rejection, TaskDraft, TaskFileError, serialize
from taskhub_core.tasks.status import TaskStatus

type Read = Callable[[Format, bytes | str], list[Any]]

_UUID = "9e2a1f2c-6c3b-4f0e-9f3f-0d6f2f1f8a11"
_EXPORT = [
    {
        "id": 1,
        "description": "Prepare the talk",
        "due": "20260301T170000Z",
        "entry": "20260201T080000Z",
        "modified": "20260202T080000Z",
        "priority": "H",
        "project": "Work.Talks",
        "start": "20260202T080000Z",
        "status": "pending",
        "tags": ["slides", "next"],
        "annotations": [
            {"entry": "20260202T080000Z", "description": "Room 5"},
            {"entry": "20260203T080000Z", "description": "Bring [adapter], {cable}"},
        ],
        "uuid": _UUID,
        "urgency": 12.9,
    },
    {"id": 0, "description": "Done one", "end": "20260205T090000Z", "status": "completed", "uuid": "u2"},
    {"id": 0, "description": "Dropped", "status": "deleted", "priority": "L"},
    {"id": 2, "description": "Later", "status": "waiting", "wait": "20270101T000000Z", "project": "Big house"},
    {"id": 3, "description": "Bins", "status": "recurring", "recur": "weekly", "mask": "--"},
]
_READ = [
    TaskDraft(
        "Prepare the talk",
        notes="Room 5\nBring [adapter], {cable}",
        status=TaskStatus.IN_PROGRESS,
        priority=3,
        due_at=datetime(2026, 3, 1, 17, tzinfo=UTC),
        tags=("Work.Talks", "slides", "next"),
        created_at=datetime(2026, 2, 1, 8, tzinfo=UTC),
        external_id=_UUID,
    ),
    TaskDraft("Done one", status=TaskStatus.DONE, completed_at=datetime(2026, 2, 5, 9, tzinfo=UTC), external_id="u2"),
    TaskDraft("Dropped", status=TaskStatus.CANCELLED, priority=1),
    TaskDraft("Later", tags=("Big-house",)),
    TaskDraft("Bins", notes="Recurring in Taskwarrior; imported as one task."),
]

_LAYOUTS = {
    "task export": "[\n" + ",\n".join(json.dumps(task) for task in _EXPORT) + "\n]\n",
    "brackets beside the tasks": "[" + ",\n".join(json.dumps(task) for task in _EXPORT) + "]",
    "rc.json.array=off": "\n".join(json.dumps(task) for task in _EXPORT),
    "one line": json.dumps(_EXPORT, separators=(",", ":")),
    "indented": json.dumps(_EXPORT, indent=2),
    "indented with short annotations": json.dumps(_EXPORT[:1]).replace('[{"entry', '[\n{"entry'),
}


@pytest.mark.parametrize("layout", _LAYOUTS)
def test_an_export_is_read_in_any_layout(read: Read, layout: str) -> None:
    expected = _READ[:1] if "short" in layout else _READ
    assert read(Format.TASKWARRIOR, _LAYOUTS[layout]) == expected


def test_a_broken_line_of_an_export_is_rejected_by_itself(read: Read) -> None:
    lines = [
        b'{"description": "a"},',
        b'{"description": "\xff"},',
        b'{"description": ,',
        b"garbage",
        b'{"description": "b"}',
    ]
    first, *rejected, last = read(Format.TASKWARRIOR, b"[\n" + b"\n".join(lines) + b"\n]\n")
    assert (first, last) == (TaskDraft("a"), TaskDraft("b"))
    assert [(item.line, item.reason.split(":")[0]) for item in rejected] == [
        (3, "byte 18 (0xff) is not valid UTF-8"),
        (4, "not valid JSON"),
        (5, "not valid JSON"),
    ]


def test_a_broken_first_line_of_an_export_is_rejected_by_itself(read: Read) -> None:
    rejected, following = read(Format.TASKWARRIOR, '[\n{"description": "a", "tags": [},\n{"description": "b"}\n]\n')
    assert isinstance(rejected, Rejection)
    assert following == TaskDraft("b")


@pytest.mark.parametrize("layout", [None, 2])
def test_bad_tasks_are_rejected_with_their_line(read: Read, layout: int | None) -> None:
    bad = [
        {"description": 7},
        {"description": "a", "status": "unknown"},
        {"description": "a", "priority": "X"},
        {"description": "a", "due": "20260230T000000Z"},
        {"description": "a", "annotations": ["text"]},
        {"description": "a", "tags": [["x"]]},
        {"status": "pending"},
    ]
    text = json.dumps(bad, indent=2) if layout else "[\n" + ",\n".join(json.dumps(task) for task in bad) + "\n]"
    rejected = read(Format.TASKWARRIOR, text)
    assert all(isinstance(item, Rejection) for item in rejected)
    words = ["description", "status", "priority", "due", "annotations", "tags", "title"]
    assert [item.reason.split(" ")[0] for item in rejected] == words
    lines = text.split("\n")
    assert all(lines[item.line - 1].strip().startswith("{") for item in rejected)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no JSON at all",
        '{"tasks": []}x',
        '[{"description": "a"}, {"descr',
        '[{"description": "a"}, {"description": "b"}',
        '[\n{\n"description": "a"\n}\n] trailing',
        '["\\"' * 3,
    ],
)
def test_a_broken_array_is_a_file_error_that_says_what_to_do(read: Read, content: str) -> None:
    with pytest.raises(TaskFileError, match="Export the file again"):
        read(Format.TASKWARRIOR, content)


def test_deep_nesting_is_rejected_in_both_layouts(read: Read) -> None:
    deep = '{"description": "a", "x": ' + "[" * 50_000 + "]" * 50_000 + "}"
    for content in (f'[\n{deep},\n{{"description": "b"}}\n]', f'[{deep},{{"description": "b"}}]'):
        rejected, following = read(Format.TASKWARRIOR, content)
        assert rejected.reason == "the JSON is nested too deeply"
        assert following == TaskDraft("b")


def test_taskwarrior_gets_valid_uuids_only_and_the_same_at_every_export() -> None:
    drafts = [TaskDraft("a", external_id="not a uuid"), TaskDraft("b", external_id=_UUID), TaskDraft("c")]
    first, second, third = json.loads(b"".join(serialize(Format.TASKWARRIOR, drafts)))
    assert str(UUID(first["uuid"])) == first["uuid"]
    assert first["taskhubid"] == "not a uuid"
    assert second["uuid"] == _UUID
    assert "uuid" not in third
    assert json.loads(b"".join(serialize(Format.TASKWARRIOR, drafts)))[0]["uuid"] == first["uuid"]


def test_two_exports_one_after_the_other_are_read_as_one(read: Read) -> None:
    export = '[\n{"description": "a"},\n{"description": "b"}\n]\n'
    assert read(Format.TASKWARRIOR, export * 2) == [TaskDraft("a"), TaskDraft("b")] * 2
