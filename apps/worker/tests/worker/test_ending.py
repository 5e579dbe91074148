"""How attempts are written down when things go wrong in the middle of it."""

import signal
import time
import uuid
from collections.abc import Iterator, Sequence
from threading import Timer
from typing import Any, NoReturn

import psycopg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import event, text
from worker_harness import Jobs, prepare

from taskhub_core.jobs import dispatch, service
from taskhub_core.jobs.context import HandlerSettings
from taskhub_core.jobs.lease import Fence
from taskhub_core.jobs.registry import registry
from taskhub_worker.database import ConnectionWatch, watched_engine
from taskhub_worker.worker.break_in import BreakIn
from taskhub_worker.worker.execution import Executor
from taskhub_worker.worker.keeper import LeaseKeeper

LEASE_SECONDS = 3.0


class _NoExecution:
    """These handlers stop when they are told to."""

    def hard_limit(self, *_: object) -> NoReturn:
        raise AssertionError("a handler was to be ended by force")

    def unresponsive(self, *_: object) -> NoReturn:
        raise AssertionError("a handler was to be ended by force")


class Bench:
    """An executor in the test's own process."""

    def __init__(self, jobs: Jobs, settings: HandlerSettings, renewing: HandlerSettings | None = None) -> None:
        self.jobs = jobs
        self.stopping = False
        watch = ConnectionWatch()
        self.engine = watched_engine(settings, watch, application_name="test-executor", limit_seconds=10)
        self._previous = signal.getsignal(signal.SIGUSR2)
        break_in = BreakIn()
        self.keeper = LeaseKeeper(
            settings,
            watched_engine(renewing or settings, watch, application_name="test-keeper", limit_seconds=2),
            stopping=lambda: self.stopping,
            break_in=break_in.send,
            executioner=_NoExecution(),
        )
        self.executor = Executor(
            worker="test",
            engine=self.engine,
            handler_engine=jobs.engine,
            settings=settings,
            flush_seconds=0.5,
            registry=registry,
            keeper=self.keeper,
            break_in=break_in,
            stopping=lambda: self.stopping,
        )
        self.keeper.start()

    def run(self, ids: Sequence[uuid.UUID]) -> bool:
        with self.jobs.engine.begin() as connection:
            dispatch.mark_for_dispatch(connection, registry, window=1_000)
        return self.executor.run(ids)

    def close(self) -> None:
        self.keeper.close()
        self.engine.dispose()
        signal.signal(signal.SIGUSR2, self._previous)


def _settings(database_url: str) -> HandlerSettings:
    return HandlerSettings(
        database_url=database_url, lease_seconds=LEASE_SECONDS, lease_renew_seconds=0.2, lease_margin_seconds=1.0
    )


@pytest.fixture
def bench(jobs: Jobs, database_url: str) -> Iterator[Bench]:
    prepare(jobs.engine)
    bench = Bench(jobs, _settings(database_url))
    yield bench
    bench.close()


def _metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_commit_whose_answer_is_lost_is_neither_repeated_nor_taken_for_fenced(bench: Bench) -> None:
    (job_id,) = bench.jobs.submit("probe.note")
    dialect = bench.engine.dialect
    commit = dialect.do_commit
    lost: list[bool] = []

    def lose_the_answer(connection: Any) -> None:
        commit(connection)
        if not lost:
            lost.append(True)
            connection.driver_connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    dialect.do_commit = lose_the_answer  # type: ignore[method-assign]
    fenced = _metric("taskhub_fenced_writes_total", operation="complete")
    succeeded = _metric("taskhub_jobs_finished_total", kind="probe.note", outcome="succeeded")
    assert bench.run([job_id])
    assert lost
    assert (bench.jobs.get(job_id).state, bench.jobs.notes(job_id)) == ("succeeded", ["done"])
    assert _metric("taskhub_fenced_writes_total", operation="complete") == fenced
    assert _metric("taskhub_jobs_finished_total", kind="probe.note", outcome="succeeded") == succeeded + 1


def test_a_completion_after_the_lease_was_taken_away_has_no_effect(bench: Bench) -> None:
    (job_id,) = bench.jobs.submit("probe.note")
    complete = bench.executor._ender.complete

    def late(finished: Any) -> None:
        with bench.jobs.engine.begin() as connection:
            connection.execute(
                text("UPDATE jobs SET lease_expires_at = now() - interval '1 s' WHERE state = 'running'")
            )
        with bench.jobs.engine.begin() as connection:
            assert len(dispatch.rescue_expired(connection, limit=10)) == 1
        complete(finished)

    bench.executor._ender.complete = late  # type: ignore[method-assign]
    fenced = _metric("taskhub_fenced_writes_total", operation="complete")
    bench.run([job_id])
    assert (bench.jobs.get(job_id).state, bench.jobs.notes(job_id)) == ("queued", [])
    assert _metric("taskhub_fenced_writes_total", operation="complete") == fenced + 1


def _statements(bench: Bench) -> list[str]:
    """Will hold the first word of every statement that the executor sends."""
    statements: list[str] = []

    def note_down(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement.split()[0])

    event.listen(bench.engine, "before_cursor_execute", note_down)
    return statements


def test_a_batch_is_claimed_in_two_statements_and_completed_in_one(bench: Bench) -> None:
    ids = bench.jobs.submit("probe.noop", count=20)
    statements = _statements(bench)
    bench.run(ids)
    assert bench.jobs.count("succeeded") == 20
    assert statements == ["WITH", "WITH", "UPDATE"]


def test_a_run_takes_one_statement_a_job_and_one_more(bench: Bench) -> None:
    ids = bench.jobs.submit("probe.alone", count=10)
    statements = _statements(bench)
    assert bench.run(ids)
    assert [(job.state, job.attempt) for job in map(bench.jobs.get, ids)] == [("succeeded", 1)] * 10
    assert statements == ["WITH"] * 10 + ["UPDATE"]


def test_a_run_steps_over_jobs_that_are_not_there_to_be_claimed(bench: Bench) -> None:
    ids = bench.jobs.submit("probe.alone", count=6)
    with bench.jobs.engine.begin() as connection:
        gone = {"ids": [ids[0], ids[2], ids[5]]}
        connection.execute(text("UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE id = ANY (:ids)"), gone)
    assert bench.run(ids)
    assert bench.jobs.count("succeeded") == 3


def test_a_late_end_within_a_run_is_fenced_off_and_the_run_goes_on(bench: Bench) -> None:
    lost, after = bench.jobs.submit("probe.alone", count=2)

    def take_away(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "ended AS" in statement:  # between the first job's work and the statement that ends it
            with bench.jobs.engine.begin() as connection:
                connection.execute(text("UPDATE jobs SET attempt = attempt + 1 WHERE id = :id"), {"id": lost})

    event.listen(bench.engine, "before_cursor_execute", take_away)
    fenced = _metric("taskhub_fenced_writes_total", operation="complete")
    assert bench.run([lost, after])
    assert [bench.jobs.get(job_id).state for job_id in (lost, after)] == ["running", "succeeded"]
    assert _metric("taskhub_fenced_writes_total", operation="complete") == fenced + 1


def test_a_long_job_lets_go_of_those_behind_it(bench: Bench) -> None:
    (long,) = bench.jobs.submit("probe.sleep", seconds=2.0)
    behind = bench.jobs.submit("probe.alone", count=3)
    dispatchable = text("SELECT count(*) FROM jobs WHERE state = 'queued' AND dispatched_at IS NULL AND attempt = 0")
    found: list[int] = []

    def look() -> None:
        with bench.jobs.engine.connect() as connection:
            found.append(connection.execute(dispatchable).scalar_one())

    timer = Timer(1.5, look)
    timer.start()
    assert bench.run([long, *behind])
    timer.join()
    assert found == [3]
    assert bench.jobs.get(long).state == "succeeded"
    assert bench.jobs.count("succeeded") == 1


def test_a_stopping_worker_hands_back_the_rest_of_a_run(bench: Bench) -> None:
    ids = bench.jobs.submit("probe.alone", count=4)

    def stop(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        bench.stopping = bench.stopping or "ended AS" in statement

    event.listen(bench.engine, "before_cursor_execute", stop)
    assert not bench.run(ids)
    jobs = [bench.jobs.get(job_id) for job_id in ids]
    assert [job.state for job in jobs] == ["succeeded", "queued", "queued", "queued"]
    assert [job.tries for job in jobs] == [1, 0, 0, 0]


def test_a_stopping_worker_claims_nothing_and_hands_the_message_back(bench: Bench) -> None:
    (job_id,) = bench.jobs.submit("probe.note")
    bench.stopping = True
    assert not bench.run([job_id])
    assert bench.jobs.get(job_id).state == "queued"


def test_a_handler_stops_before_a_lease_that_cannot_be_renewed_runs_out(jobs: Jobs, database_url: str) -> None:
    prepare(jobs.engine)
    settings = _settings(database_url)
    away = settings.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:1/none"})
    bench = Bench(jobs, settings, renewing=away)
    try:
        (job_id,) = jobs.submit("probe.sleep", seconds=30)
        started = time.monotonic()
        assert bench.run([job_id])
        assert time.monotonic() - started < LEASE_SECONDS
    finally:
        bench.close()
    job = jobs.get(job_id)
    assert job.state == "running", "the one who lost the lease wrote to the job"
    with jobs.engine.connect() as connection:
        query = text("SELECT lease_expires_at > now() FROM jobs WHERE id = :id")
        assert connection.execute(query, {"id": job_id}).scalar_one(), "the lease ended first"


def test_a_renewed_lease_outlives_its_length_many_times(bench: Bench) -> None:
    (job_id,) = bench.jobs.submit("probe.sleep", seconds=LEASE_SECONDS + 1)
    assert bench.run([job_id])
    assert (bench.jobs.get(job_id).state, bench.jobs.get(job_id).attempt) == ("succeeded", 1)


def test_a_job_cancelled_before_its_turn_in_the_batch_does_not_begin(bench: Bench) -> None:
    first, second = bench.jobs.submit("probe.sleep", seconds=1), bench.jobs.submit("probe.note")

    def cancel() -> None:
        with bench.jobs.engine.begin() as connection:
            service.cancel(connection, second[0], account_id=bench.jobs.account_id)

    timer = Timer(0.3, cancel)
    timer.start()
    bench.run([*first, *second])
    timer.join()
    assert (bench.jobs.get(second[0]).state, bench.jobs.notes(second[0])) == ("cancelled", [])
    assert bench.jobs.get(first[0]).state == "succeeded"


def test_an_error_of_the_engine_itself_leaves_no_lease_renewed_for_ever(bench: Bench) -> None:
    ids = bench.jobs.submit("probe.note", count=2) + bench.jobs.submit("probe.fail")

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    bench.executor._ender.fail = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="a bug"):
        bench.run(ids)
    assert bench.keeper._deadlines == {}
    assert [bench.jobs.get(job_id).state for job_id in ids] == ["succeeded", "succeeded", "running"]


def test_an_error_that_postgresql_cannot_store_is_stored_all_the_same(bench: Bench) -> None:
    (job_id,) = bench.jobs.submit("probe.unstorable")
    bench.run([job_id])
    assert bench.jobs.get(job_id).error["message"] == "nul: , surrogate: ?"


def test_nothing_is_held_once_a_message_is_done(bench: Bench) -> None:
    ids = bench.jobs.submit("probe.note", count=3) + bench.jobs.submit("probe.fail", permanent=True)
    bench.run(ids)
    assert bench.keeper._deadlines == {}
    assert bench.keeper.deadline([Fence(ids[0], 1)]) == 0.0
