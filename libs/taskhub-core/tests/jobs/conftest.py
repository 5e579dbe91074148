"""Fixtures of the job engine's tests: kinds that only they know, and an engine on the migrated database."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from taskhub_core.database.engine import make_engine
from taskhub_core.ids import new_id
from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.registry import NoArgs, RetryPolicy, registry
from taskhub_core.settings import DatabaseSettings


def _nothing(_context: JobContext, _args: NoArgs) -> None:
    """Handlers do not run here."""


registry.kind("engine.plain", args=NoArgs, retry=RetryPolicy(max_attempts=3), submitted_by="system")(_nothing)
registry.kind("engine.other", args=NoArgs, submitted_by="system")(_nothing)
registry.kind(
    "engine.limited", args=NoArgs, retry=RetryPolicy(max_attempts=3), concurrency_limit=2, submitted_by="system"
)(_nothing)


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(DatabaseSettings(database_url=database_url), application_name="test-jobs")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS engine_effects (job_id uuid NOT NULL)"))
    yield engine
    engine.dispose()


@pytest.fixture
def account_id(engine: Engine, clean_database: str) -> uuid.UUID:
    return add_account(engine)


def add_account(engine: Engine) -> uuid.UUID:
    account_id = new_id()
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO accounts (id, email, password_hash) VALUES (:id, :email, 'x')"),
            {"id": account_id, "email": f"{account_id}@example.com"},
        )
    return account_id
