"""What tasks.import promises: every entry counted once, whatever happens on the way."""

import csv
import io
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from taskhub_core.files import service as files
from taskhub_core.jobs.errors import PermanentError, ShuttingDown
from taskhub_core.jobs.kinds.tasks_import import CHUNK_CHARS, CHUNK_ENTRIES
from taskhub_core.jobs.rejections import MAX_LISTED
from taskhub_core.jobs.states import JobState
from taskhub_core.tasks import service as tasks
from taskhub_core.tasks.formats import Format, TaskDraft, serialize
from taskhub_core.tasks.listing import Sort, list_tasks
from taskhub_core.tasks.service import NewTask, TaskPatch
from taskhub_core.tasks.status import TaskStatus
from taskhub_core.tasks.task import Task

type Upload = Callable[..., str]


@pytest.fixture
def upload(engine: Engine, account_id: uuid.UUID) -> Upload:
    def upload(content: bytes, *, owner: uuid.UUID = account_id) -> str:
        with engine.begin() as connection:
            file = files.save(connection, owner, name="my tasks.csv", content_type="text/csv", content=content)
        return str(file.id)

    return upload


def _stored(engine: Engine, account_id: uuid.UUID) -> list[Task]:
    with engine.connect() as connection:
        return list_tasks(connection, account_id, sort=Sort.OLDEST, limit=100_000).tasks


def _csv(rows: int, *, with_ids: bool = True, title: str = "Task") -> bytes:
    lines = [f"{f'id-{number}' if with_ids else ''},{title} {number}" for number in range(rows)]
    return "\n".join(["id,title", *lines]).encode()


def _numbers(result: dict[str, Any]) -> tuple[int, int, int, int]:
    return result["imported"], result["updated"], result["unchanged"], result["rejected"]


def test_tasks_are_stored_in_the_files_order_with_their_events(
    jobs: Any, engine: Engine, account_id: uuid.UUID, upload: Upload
) -> None:
    result = jobs.run(account_id, "tasks.import", file_id=upload(_csv(3, with_ids=False)), format="csv")
    assert result == {"imported": 3, "updated": 0, "unchanged": 0, "rejected": 0, "report_file_id": None}
    assert [task.title for task in _stored(engine, account_id)] == ["Task 0", "Task 1", "Task 2"]
    with engine.connect() as connection:
        types = connection.execute(text("SELECT message ->> 'type' FROM outbox")).scalars().all()
    assert types == ["task.created"] * 3


def test_importing_a_changed_file_again_updates_what_differs(
    jobs: Any, engine: Engine, account_id: uuid.UUID, upload: Upload
) -> None:
    jobs.run(account_id, "tasks.import", file_id=upload(b"id,title\n1,one\n2,two\n3,three\n"), format="csv")
    changed = upload(b"id,title\n1,one\n2,TWO\n4,four\n")
    assert _numbers(jobs.run(account_id, "tasks.import", file_id=changed, format="csv")) == (1, 1, 1, 0)
    assert sorted(task.title for task in _stored(engine, account_id)) == ["TWO", "four", "one", "three"]


@pytest.mark.parametrize("with_ids", [True, False])
def test_an_interrupted_import_gives_the_totals_of_an_undisturbed_one(
    jobs: Any, engine: Engine, make_account: Any, upload: Upload, with_ids: bool
) -> None:
    broken = b"\n7,\n8,\n9,\n"  # three entries without a title
    content = _csv(CHUNK_ENTRIES * 2 + 40, with_ids=with_ids) + broken + b"id-5,Task 5 again\n"
    undisturbed, interrupted = make_account(), make_account()
    expected = jobs.run(undisturbed, "tasks.import", file_id=upload(content, owner=undisturbed), format="csv")
    job_id = jobs.submit(interrupted, "tasks.import", file_id=upload(content, owner=interrupted), format="csv")
    with pytest.raises(ShuttingDown):
        jobs.attempt(job_id, stop_after_steps=2)
    halfway = jobs.get(job_id)
    assert halfway.progress["done"] == CHUNK_ENTRIES * 2
    assert halfway.progress["total"] == CHUNK_ENTRIES * 2 + 44
    assert len(_stored(engine, interrupted)) == CHUNK_ENTRIES * 2
    result = jobs.attempt(job_id)
    assert _numbers(result) == _numbers(expected)
    assert sum(_numbers(result)) == CHUNK_ENTRIES * 2 + 44
    assert result["rejected"] == 3
    titles = [[task.title for task in _stored(engine, account)] for account in (undisturbed, interrupted)]
    assert sorted(titles[0]) == sorted(titles[1])
    assert jobs.get(job_id).progress["done"] == CHUNK_ENTRIES * 2 + 44


def test_a_chunk_that_runs_again_without_its_checkpoint_duplicates_nothing(
    jobs: Any, engine: Engine, account_id: uuid.UUID, upload: Upload
) -> None:
    content = _csv(CHUNK_ENTRIES + 5, with_ids=False) + b"\n7,\n"
    job_id = jobs.submit(account_id, "tasks.import", file_id=upload(content), format="csv")
    with pytest.raises(ShuttingDown):
        jobs.attempt(job_id, stop_after_steps=1)
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET checkpoint = NULL WHERE id = :id"), {"id": job_id})
    assert _numbers(jobs.attempt(job_id)) == (5, 0, CHUNK_ENTRIES, 1)
    assert len(_stored(engine, account_id)) == CHUNK_ENTRIES + 5


def test_a_dead_import_that_is_retried_as_a_new_job_duplicates_nothing(
    jobs: Any, engine: Engine, account_id: uuid.UUID, upload: Upload
) -> None:
    file_id = upload(_csv(CHUNK_ENTRIES + 5, with_ids=False))
    with pytest.raises(ShuttingDown):
        jobs.attempt(jobs.submit(account_id, "tasks.import", file_id=file_id, format="csv"), stop_after_steps=1)
    assert _numbers(jobs.run(account_id, "tasks.import", file_id=file_id, format="csv")) == (5, 0, CHUNK_ENTRIES, 0)
    assert len(_stored(engine, account_id)) == CHUNK_ENTRIES + 5


def test_what_was_deleted_since_comes_back_by_its_id_or_with_a_new_upload(
    jobs: Any, engine: Engine, account_id: uuid.UUID, upload: Upload
) -> None:
    content = b"id,title\next,with id\n,without\n"
    file_id = upload(content)

    def import_after_deleting(file_id: str) -> set[str]:
        with engine.begin() as connection:
            for task in _stored(engine, account_id):
                tasks.delete(connection, account_id, task.id, expected_version=None)
        jobs.run(account_id, "tasks.import", file_id=file_id, format="csv")
        return {task.title for task in _stored(engine, account_id)}

    assert import_after_deleting(file_id) == {"with id", "without"}
    assert import_after_deleting(file_id) == {"with id"}
    assert import_after_deleting(upload(content)) == {"with id", "without"}


def test_of_several_entries_with_one_id_the_last_counts(
    jobs: Any, engine: Engine, account_id: uuid.UUID, upload: Upload
) -> None:
    with engine.begin() as connection:
        (made,) = tasks.create(connection, account_id, [NewTask(TaskDraft(title="made here"))])
    content = f"id,title\n1,first\n{made.id},a\n1,second\n{made.id},b\n1,third\n".encode()
    assert _numbers(jobs.run(account_id, "tasks.import", file_id=upload(content), format="csv")) == (1, 1, 3, 0)
    assert {task.title for task in _stored(engine, account_id)} == {"third", "b"}


def test_an_edited_export_updates_the_tasks_it_came_from(
    jobs: Any, engine: Engine, account_id: uuid.UUID, upload: Upload
) -> None:
    with engine.begin() as connection:
        made = tasks.create(connection, account_id, [NewTask(TaskDraft(title=title)) for title in ("a", "b")])
    content = f"id,title,priority\n{made[0].id},a,3\n{made[1].id},b,\n".encode()
    assert _numbers(jobs.run(account_id, "tasks.import", file_id=upload(content), format="csv")) == (0, 1, 1, 0)
    stored = _stored(engine, account_id)
    assert [(task.id, task.priority, task.version) for task in stored] == [(made[0].id, 3, 2), (made[1].id, 0, 1)]


def test_the_ids_of_another_accounts_tasks_are_only_names(
    jobs: Any, engine: Engine, make_account: Any, account_id: uuid.UUID, upload: Upload
) -> None:
    other = make_account()
    with engine.begin() as connection:
        (theirs,) = tasks.create(connection, other, [NewTask(TaskDraft(title="theirs"))])
    content = f"id,title\n{theirs.id},mine\n".encode()
    assert _numbers(jobs.run(account_id, "tasks.import", file_id=upload(content), format="csv")) == (1, 0, 0, 0)
    assert [task.title for task in _stored(engine, other)] == ["theirs"]
    assert [task.title for task in _stored(engine, account_id)] == ["mine"]


def test_a_format_without_notes_keeps_the_notes_that_are_stored(
    jobs: Any, engine: Engine, account_id: uuid.UUID, upload: Upload
) -> None:
    with engine.begin() as connection:
        drafts = [TaskDraft(title="a", notes="keep", external_id="ext"), TaskDraft(title="b", notes="keep too")]
        made = tasks.create(connection, account_id, [NewTask(draft) for draft in drafts])
    content = f"A id:ext\nB id:{made[1].id}\n".encode()
    assert _numbers(jobs.run(account_id, "tasks.import", file_id=upload(content), format="todotxt")) == (0, 2, 0, 0)
    assert {task.title: task.notes for task in _stored(engine, account_id)} == {"A": "keep", "B": "keep too"}


def test_rejected_lines_are_reported_without_formulas(
    jobs: Any, engine: Engine, account_id: uuid.UUID, upload: Upload
) -> None:
    content = b'id,title,priority\n1,good,1\n2,bad,=cmd|/c calc\n=HYPERLINK("http://x"),,\n3,\xff,\n'
    result = jobs.run(account_id, "tasks.import", file_id=upload(content), format="csv")
    assert _numbers(result) == (1, 0, 0, 3)
    with engine.connect() as connection:
        report = files.get_content(connection, account_id, uuid.UUID(result["report_file_id"]))
    assert report.file.name == "my tasks-rejected.csv"
    rows = list(csv.reader(io.StringIO(report.content.decode("utf-8-sig"))))
    assert rows[0] == ["line", "reason", "excerpt"]
    assert [row[0] for row in rows[1:]] == ["3", "4", "5"]
    assert "priority" in rows[1][1]
    assert rows[2][2].startswith("'=HYPERLINK")
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


@pytest.mark.parametrize("file_format", list(Format))
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\x02" * 50,
        b"PK\x03\x04 not text",
        b"[" * 5_000,
        b'{"title": ' + b'{"a":' * 5_000,
        b"BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:" + b"x" * 200_000,
        b"title\n" + b'"never closed\n' * 100,
        b"title,id\n" + b"\xff\xfe\xfd,1\n" * 20,
    ],
    ids=["empty", "binary", "zip", "brackets", "nested", "huge line", "open quote", "not utf-8"],
)
def test_a_hostile_file_gives_a_reason_or_a_report_and_never_a_crash(
    jobs: Any, account_id: uuid.UUID, upload: Upload, file_format: Format, content: bytes
) -> None:
    job_id = jobs.submit(account_id, "tasks.import", file_id=upload(content), format=file_format.value)
    with suppress(PermanentError):
        jobs.attempt(job_id)
    job = jobs.get(job_id)
    if job.state is JobState.DEAD:
        assert len(job.error["message"]) > 20
    else:
        assert job.state is JobState.SUCCEEDED
        assert (job.result["report_file_id"] is not None) == (job.result["rejected"] > 0)


def test_the_report_lists_so_many_and_says_how_many_more(
    jobs: Any, engine: Engine, account_id: uuid.UUID, upload: Upload
) -> None:
    content = b"title,priority\n" + b"x,9\n" * (MAX_LISTED + 7)
    result = jobs.run(account_id, "tasks.import", file_id=upload(content), format="csv")
    assert result["rejected"] == MAX_LISTED + 7
    with engine.connect() as connection:
        report = files.get_content(connection, account_id, uuid.UUID(result["report_file_id"]))
    lines = report.content.decode("utf-8-sig").splitlines()
    assert len(lines) == MAX_LISTED + 2
    assert "7 more are not listed" in lines[-1]


def test_a_missing_expired_or_foreign_file_is_a_permanent_error(
    jobs: Any, engine: Engine, make_account: Any, account_id: uuid.UUID, upload: Upload
) -> None:
    foreign = upload(_csv(1), owner=make_account())
    expired = upload(_csv(1))
    with engine.begin() as connection:
        connection.execute(text("UPDATE files SET expires_at = now() WHERE id = :id"), {"id": expired})
    for file_id in (str(uuid.uuid4()), foreign, expired):
        with pytest.raises(PermanentError, match="Upload it again"):
            jobs.run(account_id, "tasks.import", file_id=file_id, format="csv")
    assert _stored(engine, account_id) == []


def _drafts() -> list[TaskDraft]:
    noon = datetime(2026, 5, 17, 12, 30, tzinfo=UTC)
    return [
        TaskDraft(
            title=f"Tâche {number} ☕ +not @tags due:soon",
            notes="" if number % 3 else 'First line\n- second, with commas; \\ and "quotes"\n=1+1',
            status=list(TaskStatus)[number % 4],
            priority=number % 5,
            due_at=noon + timedelta(days=number) if number % 2 else None,
            tags=("home", "@desk", f"t{number}")[: number % 4],
            created_at=noon,
            completed_at=noon + timedelta(hours=1) if list(TaskStatus)[number % 4] is TaskStatus.DONE else None,
            external_id=f"ext {number}" if number % 2 else None,
        )
        for number in range(30)
    ]


def _content_of(stored: list[Task], *, notes: bool) -> set[tuple[Any, ...]]:
    return {
        (
            task.title,
            task.notes if notes else "",
            task.status,
            task.priority,
            task.due_at,
            task.tags,
            task.created_at,
            task.completed_at,
            task.external_id,
        )
        for task in stored
    }


@pytest.mark.parametrize("file_format", list(Format))
def test_import_export_import_comes_back_equal(
    jobs: Any, engine: Engine, make_account: Any, upload: Upload, file_format: Format
) -> None:
    first, second = make_account(), make_account()
    content = b"".join(serialize(file_format, _drafts()))
    args = {"format": file_format.value}
    result = jobs.run(first, "tasks.import", file_id=upload(content, owner=first), **args)
    assert _numbers(result) == (30, 0, 0, 0)
    exported = jobs.run(first, "tasks.export", **args)
    assert exported["exported"] == 30
    with engine.connect() as connection:
        file = files.get_content(connection, first, uuid.UUID(exported["file_id"]))
    assert len(file.content) == exported["size"]
    again = jobs.run(first, "tasks.import", file_id=exported["file_id"], **args)
    assert _numbers(again) == (0, 0, 30, 0), "importing one's own export changes nothing"
    moved = jobs.run(second, "tasks.import", file_id=upload(file.content, owner=second), **args)
    assert _numbers(moved) == (30, 0, 0, 0)

    notes = file_format is not Format.TODOTXT
    originals = _stored(engine, first)
    expected = _content_of(originals, notes=notes)
    named = {str(task.id): task.external_id for task in originals}
    copies = _content_of(_stored(engine, second), notes=notes)
    assert {(*copy[:-1], named.get(copy[-1], copy[-1])) for copy in copies} == expected


def test_long_notes_make_shorter_chunks(jobs: Any, engine: Engine, account_id: uuid.UUID, upload: Upload) -> None:
    drafts = [TaskDraft(title=f"{number}", notes=f"{number} " * 3_000) for number in range(100)]
    content = b"".join(serialize(Format.JSONL, drafts))
    job_id = jobs.submit(account_id, "tasks.import", file_id=upload(content), format="jsonl")
    with pytest.raises(ShuttingDown):
        jobs.attempt(job_id, stop_after_steps=1)
    first_chunk = _stored(engine, account_id)
    assert CHUNK_CHARS <= sum(len(task.notes) for task in first_chunk) < CHUNK_CHARS + 20_000
    assert _numbers(jobs.attempt(job_id)) == (100, 0, 0, 0)


def test_an_import_survives_changes_made_between_its_attempts(
    jobs: Any, engine: Engine, account_id: uuid.UUID, upload: Upload
) -> None:
    job_id = jobs.submit(account_id, "tasks.import", file_id=upload(_csv(CHUNK_ENTRIES + 1)), format="csv")
    with pytest.raises(ShuttingDown):
        jobs.attempt(job_id, stop_after_steps=1)
    first = _stored(engine, account_id)[0]
    with engine.begin() as connection:
        tasks.update(connection, account_id, first.id, TaskPatch({"title": "by hand"}), expected_version=None)
    assert _numbers(jobs.attempt(job_id)) == (CHUNK_ENTRIES + 1, 0, 0, 0)
    assert _stored(engine, account_id)[0].title == "by hand"
