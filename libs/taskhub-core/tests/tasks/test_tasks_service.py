"""Tasks in PostgreSQL: versions decide between writers, imports update, and every list walks an index."""

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from taskhub_core.database.idempotency import Kept, StoredAnswer, look_up
from taskhub_core.errors import Conflict, NotFound, VersionMismatch
from taskhub_core.tasks import service
from taskhub_core.tasks.formats.draft import TaskDraft
from taskhub_core.tasks.listing import Sort, TaskFilter, list_tasks
from taskhub_core.tasks.service import NewTask, TaskPatch, Upserted
from taskhub_core.tasks.status import TaskStatus
from taskhub_core.tasks.task import Task


def _create(engine: Engine, account_id: uuid.UUID, *drafts: TaskDraft) -> list[Task]:
    with engine.begin() as connection:
        return service.create(connection, account_id, [NewTask(draft) for draft in drafts])


def test_of_simultaneous_writers_of_one_version_one_wins(engine: Engine, account_id: uuid.UUID) -> None:
    (task,) = _create(engine, account_id, TaskDraft("contended"))
    outcomes: list[str] = []

    def write(number: int) -> None:
        patch = TaskPatch({"title": f"writer {number}"})
        try:
            with engine.begin() as connection:
                service.update(connection, account_id, task.id, patch, expected_version=1)
            outcomes.append("written")
        except VersionMismatch as mismatch:
            outcomes.append(f"at {mismatch.current}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["at 2"] * 5 + ["written"]


def _stored(engine: Engine) -> list[Any]:
    """Every task and every event, without what differs from run to run."""
    with engine.connect() as connection:
        tasks = connection.execute(text("SELECT to_jsonb(tasks) - 'id' - 'created_at' - 'updated_at' FROM tasks"))
        events = connection.execute(
            text(
                "SELECT message - '{event_id,subject_id,occurred_at}'::text[] #- '{data,id}' "
                "#- '{data,created_at}' #- '{data,updated_at}' FROM outbox"
            )
        )
        jobs = connection.execute(text("SELECT kind, run_at FROM jobs"))
        return [*tasks.scalars(), *events.scalars(), *(tuple(job) for job in jobs)]


def test_one_statement_stores_what_several_do(engine: Engine, account_id: uuid.UUID) -> None:
    due_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    draft = TaskDraft(
        "Plant “trees” \\ %s", "two\nlines", TaskStatus.IN_PROGRESS, 4, due_at=due_at, tags=("a", 'b"'), external_id="e"
    )
    new = NewTask(draft, remind=True)
    with engine.begin() as connection:
        service.create(connection, account_id, [new])
    by_several = _stored(engine)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE tasks, outbox, jobs CASCADE"))
        creation = service.prepare(account_id, new)
        assert service.create_one(connection, creation, None)
        assert service.get(connection, account_id, creation.task.id) == creation.task
    assert _stored(engine) == by_several
    assert len(by_several) == 3
    with engine.begin() as connection, pytest.raises(Conflict):
        service.create_one(connection, service.prepare(account_id, NewTask(draft)), None)


def test_a_task_under_a_key_that_is_taken_is_not_stored(engine: Engine, account_id: uuid.UUID) -> None:
    answers = [StoredAnswer(b"f", 201, {"ETag": '"1"'}, body) for body in (b"first", b"second")]
    for number, answer in enumerate(answers):
        with engine.begin() as connection:
            draft = TaskDraft("x", due_at=datetime.now(UTC) + timedelta(days=1), external_id="the same")
            creation = service.prepare(account_id, NewTask(draft, remind=True))
            stored = service.create_one(connection, creation, Kept(account_id, "key", answer))
            assert stored is (number == 0)
    assert len(_stored(engine)) == 3
    with engine.connect() as connection:
        assert look_up(connection, account_id, "key") == answers[0]


def test_the_time_of_a_change_never_goes_back(engine: Engine, account_id: uuid.UUID) -> None:
    (task,) = _create(engine, account_id, TaskDraft("x"))
    ahead = datetime.now(UTC) + timedelta(hours=1)  # as by a server whose clock is ahead
    with engine.begin() as connection:
        connection.execute(text("UPDATE tasks SET updated_at = :ahead"), {"ahead": ahead})
        changed = service.update(connection, account_id, task.id, TaskPatch({"priority": 1}), expected_version=None)
    assert changed.updated_at == ahead


def test_a_deleted_task_is_a_tombstone_for_nobody_to_see(engine: Engine, account_id: uuid.UUID) -> None:
    (task,) = _create(engine, account_id, TaskDraft("x", external_id="e"))
    with engine.begin() as connection:
        service.delete(connection, account_id, task.id, expected_version=1)
        assert connection.execute(text("SELECT version FROM tasks WHERE deleted_at IS NOT NULL")).scalar_one() == 2
        assert list_tasks(connection, account_id).tasks == []
        with pytest.raises(NotFound):
            service.get(connection, account_id, task.id)
        with pytest.raises(NotFound):
            service.update(connection, account_id, task.id, TaskPatch({"title": "y"}), expected_version=None)
    _create(engine, account_id, TaskDraft("x", external_id="e"))
    with pytest.raises(Conflict):
        _create(engine, account_id, TaskDraft("x", external_id="e"))


def test_importing_again_changes_only_what_differs(engine: Engine, account_id: uuid.UUID) -> None:
    def upsert(*drafts: TaskDraft) -> Upserted:
        with engine.begin() as connection:
            return service.upsert(connection, account_id, [NewTask(draft) for draft in drafts])

    one, other = TaskDraft("one", external_id="1"), TaskDraft("other", external_id="2", tags=("a",))
    assert upsert(one, other, TaskDraft("no id")) == Upserted(created=3, updated=0, unchanged=0)
    assert upsert(one, TaskDraft("changed", external_id="2")) == Upserted(created=0, updated=1, unchanged=1)
    assert upsert(TaskDraft("lost", external_id="1"), one) == Upserted(created=0, updated=0, unchanged=2)
    with engine.connect() as connection:
        found = {task.external_id: task for task in list_tasks(connection, account_id).tasks}
    assert (found["1"].version, found["2"].version, found["2"].title) == (1, 2, "changed")


def _plan(connection: Connection, account_id: uuid.UUID, **arguments: Any) -> str:
    """How PostgreSQL would read the list: the statement that the service sends, explained."""
    seen: list[tuple[str, Any]] = []

    class Explained:
        def execute(self, query: Any) -> Any:
            compiled = query.compile(connection.engine)
            seen.append((str(compiled), compiled.params))
            return connection.execute(query)

    list_tasks(Explained(), account_id, **arguments)  # type: ignore[arg-type]
    (statement, parameters), *_ = seen
    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("sort", Sort)
def test_every_order_walks_an_index_and_sorts_nothing(engine: Engine, account_id: uuid.UUID, sort: Sort) -> None:
    due = [None, datetime(2099, 1, 1, tzinfo=UTC), datetime(2098, 1, 1, tzinfo=UTC)]
    _create(engine, account_id, *(TaskDraft(str(n), priority=n % 5, due_at=due[n % 3]) for n in range(2_000)))
    with engine.begin() as connection:
        connection.execute(text("ANALYZE tasks"))
        first = list_tasks(connection, account_id, sort=sort, limit=20)
        for cursor in (None, first.next_cursor):
            plan = _plan(connection, account_id, sort=sort, limit=20, cursor=cursor)
            assert "Index Scan" in plan, plan
            assert "Sort" not in plan, plan


def test_pages_with_a_filter_hold_every_match_once(engine: Engine, account_id: uuid.UUID) -> None:
    _create(engine, account_id, *(TaskDraft(str(n), priority=n % 2, tags=("odd",) if n % 2 else ()) for n in range(31)))
    filter_ = TaskFilter(tags=("odd",), priorities=(1,))
    found: list[str] = []
    cursor: str | None = None
    with engine.connect() as connection:
        while True:
            page = list_tasks(connection, account_id, filter_=filter_, sort=Sort.OLDEST, limit=4, cursor=cursor)
            found += [task.title for task in page.tasks]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert found == [str(n) for n in range(31) if n % 2]
