"""Migrations on a real PostgreSQL: rows survive, the models agree, and two runs at once are harmless."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg import sql
from sqlalchemy import create_engine, make_url

from taskhub_core.database.migrate import alembic_config, upgrade
from taskhub_local.parts.postgres import PostgresPart

ACCOUNT, OTHER = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
NOW = "2026-01-05T09:30:00+00:00"

# One row a table, in an order that foreign keys allow. Columns that a revision does not have yet are left out there.
ROWS: dict[str, dict[str, Any]] = {
    "accounts": {"id": ACCOUNT, "email": "someone@example.com", "password_hash": "$argon2id$x", "role": "operator"},
    "refresh_tokens": {"id": OTHER, "account_id": ACCOUNT, "family_id": OTHER, "expires_at": NOW, "used_at": NOW},
    "idempotency_keys": {
        "scope": ACCOUNT, "key": "k", "fingerprint": "\\x00ff", "status": 201, "headers": {"a": "b"}, "body": "\\x7b7d",
    },
    "tasks": {
        "id": OTHER, "account_id": ACCOUNT, "title": "kept", "notes": "all of it", "status": "done", "priority": 3,
        "due_at": NOW, "remind": True, "tags": "{a,b}", "external_id": "x", "version": 7, "created_at": NOW,
        "updated_at": NOW, "completed_at": NOW,
    },
    "outbox": {"id": OTHER, "message": {"type": "task.created"}},
    "activity": {
        "event_id": OTHER, "account_id": ACCOUNT, "type": "task.created", "subject_id": OTHER, "summary": "Created",
        "schema_version": 1, "occurred_at": NOW,
    },
    "files": {
        "id": OTHER, "account_id": ACCOUNT, "name": "a.csv", "content_type": "text/csv", "size": 1, "sha256": "\\x00",
        "content": "\\x61", "expires_at": NOW,
    },
    "jobs": {
        "id": OTHER, "account_id": ACCOUNT, "kind": "tasks.export", "state": "dead", "run_at": NOW, "args": {"a": [1]},
        "fingerprint": "\\x00", "max_attempts": 5, "finished_at": NOW,
    },
    "job_attempts": {"job_id": OTHER, "attempt": 1, "outcome": "failed"},
    "import_rejections": {"job_id": OTHER, "entry": 1, "line": 2, "reason": "bad", "excerpt": "x"},
    "webhooks": {"id": OTHER, "account_id": ACCOUNT, "url": "https://example.com", "secret": "s", "event_types": "{}"},
    "search_reconciliations": {
        "id": OTHER, "index_name": "i", "started_at": NOW, "documents_expected": 1, "documents_found": 1,
        "ranges_different": 0, "missing": 0, "stale": 0, "superfluous": 0, "repaired": 0,
    },
}  # fmt: skip

REVISIONS = [
    script.revision for script in reversed(list(ScriptDirectory.from_config(alembic_config()).walk_revisions()))
]


@pytest.fixture
def new_database(postgres_server: PostgresPart) -> Iterator[Callable[[], str]]:
    """Makes empty databases."""
    names: list[str] = []

    def make() -> str:
        names.append(f"migrations_{uuid4().hex}")
        return postgres_server.create_database(names[-1])

    yield make
    for name in names:
        postgres_server.drop_database(name)


def _columns(session: psycopg.Connection[Any]) -> dict[str, set[str]]:
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    found: dict[str, set[str]] = {}
    for table, column in session.execute(query):
        found.setdefault(table, set()).add(column)
    del found["alembic_version"]
    return found


def _fill(session: psycopg.Connection[Any], columns: dict[str, set[str]]) -> None:
    for table, row in ROWS.items():
        values = {name: value for name, value in row.items() if name in columns.get(table, ())}
        if values:
            session.execute(
                sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    sql.Identifier(table),
                    sql.SQL(", ").join(map(sql.Identifier, values)),
                    sql.SQL(", ").join(
                        sql.Literal(json.dumps(value) if isinstance(value, dict) else value)
                        for value in values.values()
                    ),
                )
            )


def _contents(session: psycopg.Connection[Any], columns: dict[str, set[str]]) -> dict[str, list[Any]]:
    return {
        table: session.execute(
            sql.SQL("SELECT {} FROM {}").format(
                sql.SQL(", ").join(map(sql.Identifier, sorted(names))), sql.Identifier(table)
            )
        ).fetchall()
        for table, names in columns.items()
    }


@pytest.mark.parametrize("revision", REVISIONS)
def test_rows_of_every_older_revision_survive_the_upgrade(new_database: Callable[[], str], revision: str) -> None:
    url = new_database()
    upgrade(url, revision)
    with psycopg.connect(url) as session:
        columns = _columns(session)
        assert columns.keys() <= ROWS.keys(), "give every new table a row here"
        _fill(session, columns)
        before = _contents(session, columns)
    assert all(len(rows) == 1 for rows in before.values())
    upgrade(url)
    with psycopg.connect(url) as session:
        assert _contents(session, columns) == before


def test_the_models_say_what_the_migrations_made(new_database: Callable[[], str]) -> None:
    url = new_database()
    upgrade(url)
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        command.check(alembic_config(connection))
        connection.exec_driver_sql("DROP INDEX ix_tasks_tags")  # and the check would see a difference
        with pytest.raises(CommandError, match="New upgrade operations detected"):
            command.check(alembic_config(connection))
    engine.dispose()


def test_two_runs_at_once_wait_for_each_other(new_database: Callable[[], str]) -> None:
    url = new_database()
    errors: list[Exception] = []

    def run() -> None:
        try:
            upgrade(url)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with psycopg.connect(url) as session:
        assert session.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISIONS[-1],)]


def test_a_migration_gives_way_to_traffic_that_holds_its_table(new_database: Callable[[], str]) -> None:
    url = new_database()
    upgrade(url, REVISIONS[0])
    with psycopg.connect(url) as traffic:
        traffic.execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Exception, match="lock timeout"):
            upgrade(url)
    upgrade(url)
