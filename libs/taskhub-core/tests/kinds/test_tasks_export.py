"""What tasks.export promises: the account at one moment, in one file, stored with the completion or not at all."""

import uuid
from typing import Any

import pytest
from sqlalchemy import Engine, text

from taskhub_core.files import service as files
from taskhub_core.jobs.errors import PermanentError
from taskhub_core.jobs.kinds import tasks_export
from taskhub_core.tasks import listing
from taskhub_core.tasks import service as tasks
from taskhub_core.tasks.formats import Format, TaskDraft, parse
from taskhub_core.tasks.service import NewTask, TaskPatch
from taskhub_core.tasks.status import TaskStatus


def _create(engine: Engine, account_id: uuid.UUID, *drafts: TaskDraft) -> list[uuid.UUID]:
    with engine.begin() as connection:
        return [task.id for task in tasks.create(connection, account_id, [NewTask(draft) for draft in drafts])]


def _titles(engine: Engine, account_id: uuid.UUID, result: dict[str, Any], file_format: Format) -> list[str]:
    with engine.connect() as connection:
        content = files.get_content(connection, account_id, uuid.UUID(result["file_id"])).content
    return [entry.item.title for entry in parse(file_format, content) if isinstance(entry.item, TaskDraft)]


def _files(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM files")).scalar_one())


def test_only_the_accounts_own_tasks_that_pass_the_filter(
    jobs: Any, engine: Engine, account_id: uuid.UUID, make_account: Any
) -> None:
    _create(engine, make_account(), TaskDraft(title="theirs", tags=("home",)))
    ids = _create(
        engine,
        account_id,
        TaskDraft(title="open", tags=("home", "garden")),
        TaskDraft(title="done", status=TaskStatus.DONE, tags=("home",)),
        TaskDraft(title="untagged"),
        TaskDraft(title="deleted", tags=("home", "garden")),
    )
    with engine.begin() as connection:
        tasks.delete(connection, account_id, ids[3], expected_version=None)

    def exported(**args: Any) -> list[str]:
        job_id = jobs.submit(account_id, "tasks.export", format="jsonl", **args)
        result = jobs.attempt(job_id)
        titles = _titles(engine, account_id, result, Format.JSONL)
        assert result["exported"] == len(titles)
        assert jobs.get(job_id).progress["total"] == len(titles)
        return titles

    assert exported() == ["open", "done", "untagged"]
    assert exported(tags=["home"]) == ["open", "done"]
    assert exported(tags=["home", "garden"]) == ["open"]
    assert exported(statuses=["done", "cancelled"]) == ["done"]


def test_an_account_without_tasks_gets_a_valid_empty_file(jobs: Any, engine: Engine, account_id: uuid.UUID) -> None:
    for file_format in Format:
        result = jobs.run(account_id, "tasks.export", format=file_format.value)
        assert result["exported"] == 0
        with engine.connect() as connection:
            file = files.describe(connection, account_id, uuid.UUID(result["file_id"]))
        assert file.name.endswith(file_format.extension)
        assert file.content_type == file_format.content_type
        if result["size"]:
            assert _titles(engine, account_id, result, file_format) == []


def test_changes_during_the_export_are_not_in_it(
    jobs: Any, engine: Engine, account_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = _create(engine, account_id, *(TaskDraft(title=f"task {number}") for number in range(5)))
    monkeypatch.setattr(tasks_export, "BATCH_TASKS", 2)
    pages = 0

    def page_and_change(*args: Any, **options: Any) -> listing.TaskPage:
        nonlocal pages
        pages += 1
        page = listing.list_tasks(*args, **options)
        if pages == 1:
            with engine.begin() as connection:
                tasks.delete(connection, account_id, ids[3], expected_version=None)
                patch = TaskPatch({"title": "changed"})
                tasks.update(connection, account_id, ids[4], patch, expected_version=None)
            _create(engine, account_id, TaskDraft(title="late"))
        return page

    monkeypatch.setattr(tasks_export, "list_tasks", page_and_change)
    result = jobs.run(account_id, "tasks.export", format="csv")
    assert pages == 3
    assert _titles(engine, account_id, result, Format.CSV) == [f"task {number}" for number in range(5)]


def test_a_file_over_the_limit_is_refused_with_a_way_on(jobs: Any, engine: Engine, account_id: uuid.UUID) -> None:
    notes = "n" * 20_000
    count = files.MAX_BYTES // len(notes) + 1
    _create(engine, account_id, *(TaskDraft(title=f"{number}", notes=notes) for number in range(count)))
    with pytest.raises(PermanentError, match="Filter by status or tag"):
        jobs.run(account_id, "tasks.export", format="csv")
    assert _files(engine) == 0


def test_an_attempt_that_does_not_complete_leaves_no_file(jobs: Any, engine: Engine, account_id: uuid.UUID) -> None:
    _create(engine, account_id, TaskDraft(title="one"))
    job_id = jobs.submit(account_id, "tasks.export", format="csv")
    jobs.attempt(job_id, complete=False)
    assert _files(engine) == 0
    assert jobs.attempt(job_id)["exported"] == 1
    assert _files(engine) == 1
