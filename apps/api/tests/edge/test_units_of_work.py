"""Units of work on a real PostgreSQL: what is repeated, what is left behind, and what is not."""

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only

from taskhub_api.database import Database
from taskhub_core.errors import OutcomeUnknown, Unavailable
from taskhub_local.testing import wait_for_async


@pytest.fixture
def counters(engine: Engine) -> Iterator[str]:
    """A table with two counters at 0."""
    name = f"counters_{uuid.uuid4().hex}"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {name} (id int PRIMARY KEY, n int NOT NULL)"))
        connection.execute(text(f"INSERT INTO {name} VALUES (1, 0), (2, 0)"))
    yield name
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {name}"))


def _values(engine: Engine, counters: str) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(text(f"SELECT n FROM {counters} ORDER BY id")).scalars())


def _meeting(parties: int) -> Callable[[], None]:
    """Waits for the others the first time it is called in a thread of work, so that they are sure to collide."""
    barrier = threading.Barrier(parties)
    met = threading.Event()

    def meet() -> None:
        if not met.is_set():
            barrier.wait(10)
            met.set()

    return meet


def _in_threads(*runs: Callable[[], None]) -> None:
    errors: list[BaseException] = []

    def guarded(run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


def _run(api_settings: Any, work: Callable[[Connection], None], **settings: Any) -> None:
    async def run() -> None:
        database = Database(api_settings.model_copy(update=settings), deadline_seconds=15)
        try:
            await database.run(work)
        finally:
            await database.close()

    asyncio.run(run())


def test_a_serialization_failure_is_repeated(api_settings: Any, engine: Engine, counters: str) -> None:
    meet = _meeting(2)

    def work(connection: Connection) -> None:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))
        n = connection.execute(text(f"SELECT n FROM {counters} WHERE id = 1")).scalar_one()
        meet()
        connection.execute(text(f"UPDATE {counters} SET n = :n WHERE id = 1"), {"n": n + 1})

    _in_threads(*[lambda: _run(api_settings, work)] * 2)
    assert _values(engine, counters) == [2, 0]


def test_a_deadlock_is_repeated(api_settings: Any, engine: Engine, counters: str) -> None:
    meet = _meeting(2)

    def adds_to(first: int, second: int) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            connection.execute(text(f"UPDATE {counters} SET n = n + 1 WHERE id = {first}"))
            meet()
            connection.execute(text(f"UPDATE {counters} SET n = n + 1 WHERE id = {second}"))

        return work

    # PostgreSQL looks for deadlocks after a second; the lock timeout must not come first.
    _in_threads(
        lambda: _run(api_settings, adds_to(1, 2), database_lock_timeout_ms=10_000),
        lambda: _run(api_settings, adds_to(2, 1), database_lock_timeout_ms=10_000),
    )
    assert _values(engine, counters) == [2, 2]


def test_a_bug_is_not_repeated(api_settings: Any, counters: str) -> None:
    calls = []

    def work(connection: Connection) -> None:
        calls.append(1)
        connection.execute(text(f"INSERT INTO {counters} VALUES (1, 0)"))

    with pytest.raises(DBAPIError):
        _run(api_settings, work)
    assert len(calls) == 1


def test_a_terminated_session_is_repeated_on_another_connection(
    api_settings: Any, engine: Engine, counters: str
) -> None:
    sessions = []

    def work(connection: Connection) -> None:
        sessions.append(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        connection.execute(text(f"UPDATE {counters} SET n = n + 1"))
        if len(sessions) == 1:
            with engine.connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": sessions[0]})
            connection.execute(text("SELECT 1"))

    _run(api_settings, work)
    assert len(set(sessions)) == 2
    assert _values(engine, counters) == [1, 1]


def test_a_read_only_server_as_after_a_failover_is_given_up_for_another_connection(
    api_settings: Any, engine: Engine, counters: str
) -> None:
    sessions = []

    def work(connection: Connection) -> None:
        sessions.append(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        if len(sessions) == 1:
            connection.execute(text("SET TRANSACTION READ ONLY"))
        connection.execute(text(f"UPDATE {counters} SET n = n + 1"))

    _run(api_settings, work)
    assert len(set(sessions)) == 2
    assert _values(engine, counters) == [1, 1]


def test_a_unit_that_waits_for_a_connection_past_its_deadline_never_runs(api_settings: Any) -> None:
    calls = []

    async def run() -> None:
        settings = api_settings.model_copy(update={"database_pool_size": 1, "database_pool_wait_seconds": 20.0})
        database = Database(settings, deadline_seconds=0.3)
        async with database.engine.connect():
            with pytest.raises(Unavailable):
                await database.run(lambda _: calls.append(1))
        await wait_for_async(lambda: _is(not database._abandoned), message="the unit did not end")
        await database.close()

    asyncio.run(run())
    assert calls == []


def test_a_unit_that_is_past_its_deadline_does_not_commit(api_settings: Any, engine: Engine, counters: str) -> None:
    async def run() -> None:
        database = Database(api_settings, deadline_seconds=0.3)

        def work(connection: Connection) -> None:
            connection.execute(text(f"UPDATE {counters} SET n = n + 1"))
            connection.execute(text("SELECT pg_sleep(1)"))

        with pytest.raises(Unavailable):
            await database.run(work)
        await wait_for_async(lambda: _is(not database._abandoned), message="the unit did not end")
        assert await database.run(lambda connection: connection.execute(text("SELECT 1")).scalar_one()) == 1
        await database.close()

    asyncio.run(run())
    assert _values(engine, counters) == [0, 0]


async def _is(value: bool) -> bool:
    return value


def test_a_committed_unit_that_is_late_to_give_its_connection_back_is_not_called_undone(
    api_settings: Any, engine: Engine, counters: str
) -> None:
    """On a starved machine the deadline may pass between the COMMIT and the unit's end (found by `make faults`)."""

    async def run() -> None:
        database = Database(api_settings, deadline_seconds=0.5)
        event.listen(database.engine.sync_engine, "checkin", lambda *_: await_only(asyncio.sleep(1.0)))
        try:
            await database.run(lambda connection: connection.execute(text(f"UPDATE {counters} SET n = 1 WHERE id = 1")))
        finally:
            await asyncio.sleep(1.0)
            await database.close()

    with pytest.raises(OutcomeUnknown):
        asyncio.run(run())
    assert _values(engine, counters) == [1, 0]
