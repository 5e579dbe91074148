"""What is old goes, what is not stays."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text
from worker_harness import Jobs

from taskhub_core.ids import new_id
from taskhub_worker.dispatcher.retention_loop import RetentionLoop
from taskhub_worker.dispatcher.settings import DispatcherSettings

NOW = datetime.now(UTC)


def _insert(engine: Engine, table: str, **values: object) -> None:
    columns = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({places})"), values)


def _count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_old_rows_go_and_young_ones_stay(jobs: Jobs, loop_engine: Engine, settings: DispatcherSettings) -> None:
    account, engine = jobs.account_id, jobs.engine
    for days in (0, 400):
        at = NOW - timedelta(days=days)
        _insert(engine, "idempotency_keys", scope=account, key=str(days), fingerprint=b"", status=200, headers="{}",
                body=b"", created_at=at)  # fmt: skip
        _insert(engine, "files", id=new_id(), account_id=account, name="f", content_type="text/plain", size=0,
                sha256=b"", content=b"", expires_at=at + timedelta(hours=1))  # fmt: skip
        _insert(engine, "refresh_tokens", id=new_id(), account_id=account, family_id=new_id(),
                expires_at=at + timedelta(hours=1))  # fmt: skip
        _insert(engine, "tasks", id=new_id(), account_id=account, title="t", created_at=at, updated_at=at,
                deleted_at=at)  # fmt: skip
        _insert(engine, "activity", event_id=new_id(), account_id=account, type="t", subject_id=new_id(), summary="s",
                schema_version=1, occurred_at=at, received_at=at)  # fmt: skip
    _insert(engine, "tasks", id=new_id(), account_id=account, title="alive", created_at=NOW - timedelta(days=400),
            updated_at=NOW)  # fmt: skip
    for state, days in (("succeeded", 8), ("succeeded", 6), ("dead", 8), ("dead", 31), ("cancelled", 8)):
        _insert(engine, "jobs", id=new_id(), account_id=account, kind="probe.noop", state=state, run_at=NOW, args="{}",
                fingerprint=b"", max_attempts=1, finished_at=NOW - timedelta(days=days))  # fmt: skip
    jobs.submit("probe.noop")
    loop = RetentionLoop(settings, loop_engine)
    loop.turn()
    counts = {table: _count(engine, table) for table in
              ("idempotency_keys", "files", "refresh_tokens", "tasks", "activity", "jobs")}  # fmt: skip
    assert counts == {
        "idempotency_keys": 1, "files": 1, "refresh_tokens": 1, "tasks": 2, "activity": 1, "jobs": 3
    }  # fmt: skip


def test_a_long_backlog_goes_in_small_batches(jobs: Jobs, loop_engine: Engine, settings: DispatcherSettings) -> None:
    with jobs.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO jobs (id, account_id, kind, state, run_at, args, fingerprint, max_attempts, finished_at) "
                "SELECT gen_random_uuid(), :account, 'probe.noop', 'succeeded', now(), '{}', '', 1, "
                "now() - interval '30 days' FROM generate_series(1, 25)"
            ),
            {"account": jobs.account_id},
        )
    loop = RetentionLoop(settings.model_copy(update={"retention_batch_size": 10}), loop_engine)
    left = []
    for _ in range(3):
        pause = loop.turn()
        left.append(_count(jobs.engine, "jobs"))
    assert left == [15, 5, 0]
    assert pause == settings.retention_poll_seconds
