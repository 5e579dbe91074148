"""What the dispatcher's queries promise."""

import threading
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, event, text

from taskhub_core.jobs import dispatch, lease
from taskhub_core.jobs.lease import Completion
from taskhub_core.jobs.registry import registry
from taskhub_core.jobs.submit import NewJob, submit


def _submit(engine: Engine, account_id: uuid.UUID, kind: str, *, count: int = 1, priority: int = 5) -> list[uuid.UUID]:
    jobs = [NewJob(account_id=account_id, kind=kind, args={}, priority=priority) for _ in range(count)]
    with engine.begin() as connection:
        submit(connection, jobs)
    return [job.id for job in jobs]


def _mark(engine: Engine, window: int = 1_000) -> list[uuid.UUID]:
    with engine.begin() as connection:
        return [job.job_id for job in dispatch.mark_for_dispatch(connection, registry, window=window)]


def test_the_broker_holds_a_window_and_higher_priorities_come_first(engine: Engine, account_id: uuid.UUID) -> None:
    low = _submit(engine, account_id, "engine.plain", count=3, priority=1)
    high = _submit(engine, account_id, "engine.plain", count=2, priority=9)
    assert _mark(engine, window=3) == [*sorted(high), low[0]]
    assert _mark(engine, window=3) == []
    with engine.begin() as connection:
        lease.claim(connection, high, worker="w", lease_seconds=10)
        assert dispatch.more_waiting(connection, registry)
    assert _mark(engine, window=3) == low[1:]
    with engine.begin() as connection:
        assert not dispatch.more_waiting(connection, registry)


_BACKLOG = text(
    """
    INSERT INTO jobs (id, account_id, kind, state, run_at, args, fingerprint, max_attempts, finished_at)
    SELECT gen_random_uuid(), :account, 'engine.plain', state, now(), '{}', '', 3,
           CASE WHEN state = 'succeeded' THEN now() END
    FROM generate_series(1, 10000), (VALUES ('queued'), ('succeeded')) AS states (state)
    """
)
# Counts what this connection has not reported yet, too: reads of the transactions before, of up to a minute ago.
_READS = text("SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'jobs'")


def test_a_pass_reads_what_it_takes_and_neither_the_backlog_nor_what_is_finished(
    engine: Engine, account_id: uuid.UUID
) -> None:
    with engine.begin() as connection:
        connection.execute(_BACKLOG, {"account": account_id})
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE jobs"))
    with engine.begin() as connection:
        before = connection.execute(_READS).one()
        # What PostgreSQL settles for by itself after some uses of a statement: plans that do not see the parameters.
        connection.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        for window in range(10, 110, 20):
            assert len(dispatch.mark_for_dispatch(connection, registry, window=window)) == 10
            own = {"engine.plain": "own", "engine.other": "own"}
            assert len(dispatch.mark_for_dispatch(connection, registry, window=window + 10, queues=own)) == 10
            assert dispatch.more_waiting(connection, registry)
        reads = connection.execute(_READS).one()
        connection.rollback()
    assert reads.seq_tup_read == before.seq_tup_read
    assert reads.idx_tup_fetch - before.idx_tup_fetch < 10_000


def test_a_limited_job_that_arrives_while_a_pass_is_under_way_waits_for_the_next(
    engine: Engine, account_id: uuid.UUID
) -> None:
    plain = _submit(engine, account_id, "engine.plain", count=2, priority=1)
    late: list[uuid.UUID] = []

    def submit_late(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "UPDATE jobs SET dispatched_at = now()" in statement and not late:
            late.extend(_submit(engine, account_id, "engine.limited", count=3, priority=9))

    event.listen(engine, "before_cursor_execute", submit_late)
    try:
        assert _mark(engine) == plain
    finally:
        event.remove(engine, "before_cursor_execute", submit_late)
    assert _mark(engine) == sorted(late)[:2]


def test_a_backlog_of_one_queue_does_not_hold_up_another(engine: Engine, account_id: uuid.UUID) -> None:
    queues = {"engine.other": "batches", "engine.limited": "batches"}
    backlog = _submit(engine, account_id, "engine.other", count=5, priority=9)
    others = _submit(engine, account_id, "engine.plain", count=5, priority=1)

    def mark() -> list[uuid.UUID]:
        with engine.begin() as connection:
            marked = dispatch.mark_for_dispatch(connection, registry, window=2, queues=queues)
        return [job.job_id for job in marked]

    assert mark() == [*backlog[:2], *others[:2]]
    _submit(engine, account_id, "engine.limited")
    with engine.begin() as connection:
        lease.claim(connection, others[:2], worker="w", lease_seconds=10)
    assert mark() == others[2:4]  # the other queue's window is full, for its limited kinds too
    with engine.begin() as connection:
        lease.claim(connection, [backlog[0]], worker="w", lease_seconds=10)
    assert backlog[2] in mark()


def test_a_concurrency_limit_is_exact_with_two_dispatchers(engine: Engine, account_id: uuid.UUID) -> None:
    count = 30
    _submit(engine, account_id, "engine.limited", count=count)
    busy: list[int] = []
    done: list[uuid.UUID] = []
    lock = threading.Lock()
    end = threading.Event()

    def dispatcher() -> None:
        while not end.is_set():
            for job_id in _mark(engine):
                worker(job_id)

    def worker(job_id: uuid.UUID) -> None:
        with engine.begin() as connection:
            (claimed,) = lease.claim(connection, [job_id], worker="w", lease_seconds=60)
        query = "SELECT count(*) FROM jobs WHERE state = 'running' OR (state = 'queued' AND dispatched_at IS NOT NULL)"
        with engine.begin() as connection:
            in_use = int(connection.execute(text(query)).scalar_one())
        with engine.begin() as connection:
            lease.complete(connection, [Completion(claimed.fence)])
        with lock:
            busy.append(in_use)
            done.append(job_id)
            if len(done) == count:
                end.set()

    threads = [threading.Thread(target=dispatcher) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(done)) == count == len(done)
    assert max(busy) <= 2


def test_two_dispatchers_never_mark_the_same_job(engine: Engine, account_id: uuid.UUID) -> None:
    ids = _submit(engine, account_id, "engine.plain", count=200)
    marked: list[uuid.UUID] = []
    lock = threading.Lock()
    barrier = threading.Barrier(4)

    def dispatcher() -> None:
        barrier.wait()
        for _ in range(20):
            found = _mark(engine, window=200)
            with lock:
                marked.extend(found)

    threads = [threading.Thread(target=dispatcher) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(marked) == sorted(ids)


def test_a_second_delivery_claims_nothing_and_waits_for_nobody(engine: Engine, account_id: uuid.UUID) -> None:
    (job_id,) = _submit(engine, account_id, "engine.plain")
    _mark(engine)
    with engine.connect() as first, first.begin():
        assert len(lease.claim(first, [job_id], worker="first", lease_seconds=10)) == 1
        with engine.begin() as second:
            assert lease.claim(second, [job_id], worker="second", lease_seconds=10) == []


def test_a_stale_message_of_an_unmarked_job_claims_nothing(engine: Engine, account_id: uuid.UUID) -> None:
    (job_id,) = _submit(engine, account_id, "engine.plain")
    _mark(engine)
    with engine.begin() as connection:
        assert dispatch.unmark(connection, [job_id]) == 1
        assert lease.claim(connection, [job_id], worker="w", lease_seconds=10) == []


def test_what_another_dispatcher_has_just_marked_anew_is_left_alone(engine: Engine, account_id: uuid.UUID) -> None:
    (job_id,) = _submit(engine, account_id, "engine.plain")
    _mark(engine)
    with engine.begin() as connection:
        assert dispatch.unmark(connection, [job_id], older_than_seconds=5.0) == 0
        assert dispatch.unmark_before(connection, datetime.now(UTC) - timedelta(seconds=30)) == 0


def test_late_worker_cannot_overwrite_a_reclaimed_job(engine: Engine, account_id: uuid.UUID) -> None:
    (job_id,) = _submit(engine, account_id, "engine.plain")
    _mark(engine)
    with engine.begin() as connection:
        (late,) = lease.claim(connection, [job_id], worker="late", lease_seconds=0.001)
    with engine.begin() as connection:
        (rescued,) = dispatch.rescue_expired(connection, limit=10)
    assert (rescued.job_id, rescued.state, rescued.error["type"]) == (job_id, "queued", "LeaseExpired")
    _mark(engine)
    with engine.begin() as connection:
        (second,) = lease.claim(connection, [job_id], worker="second", lease_seconds=60)
    with engine.begin() as connection:
        assert lease.complete(connection, [Completion(late.fence, {"by": "late"})]) == frozenset()
        assert lease.complete(connection, [Completion(second.fence, {"by": "second"})]) == {second.fence}
        assert lease.succeeded(connection, [late.fence, second.fence]) == {second.fence}


def test_an_expired_attempt_of_a_cancelled_job_ends_it(engine: Engine, account_id: uuid.UUID) -> None:
    (job_id,) = _submit(engine, account_id, "engine.plain")
    _mark(engine)
    with engine.begin() as connection:
        lease.claim(connection, [job_id], worker="w", lease_seconds=0.001)
        connection.execute(text("UPDATE jobs SET cancel_requested_at = now()"))
    with engine.begin() as connection:
        (rescued,) = dispatch.rescue_expired(connection, limit=10)
    assert rescued.state == "cancelled"
