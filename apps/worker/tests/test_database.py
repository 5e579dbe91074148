"""A connection that is held too long is cut, whatever the server does; one to a read-only server is given up."""

import time

import psutil
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import InternalError, OperationalError

from taskhub_core.settings import DatabaseSettings
from taskhub_local.parts.postgres import PostgresPart
from taskhub_worker.database import ConnectionWatch, watched_engine


def test_a_frozen_server_cannot_hold_a_transaction(own_postgres: PostgresPart) -> None:
    settings = DatabaseSettings(database_url=own_postgres.url)
    engine = watched_engine(settings, ConnectionWatch(), application_name="test-watch", limit_seconds=1.0)
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))
    assert own_postgres.pid is not None
    root = psutil.Process(own_postgres.pid)
    processes = [root, *root.children(recursive=True)]
    for process in processes:
        process.suspend()
    started = time.monotonic()
    with pytest.raises(OperationalError), engine.begin() as connection:
        connection.execute(text("SELECT 1"))
    assert time.monotonic() - started < 6
    for process in processes:
        process.resume()
    with engine.begin() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()


def test_a_transaction_within_its_time_is_left_alone(database_url: str) -> None:
    settings = DatabaseSettings(database_url=database_url)
    engine = watched_engine(settings, ConnectionWatch(), application_name="test-watch", limit_seconds=1.0)
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_sleep(0.3)"))
    engine.dispose()


def test_a_server_that_turned_read_only_is_given_up_for_another_connection(database_url: str) -> None:
    """Such as the old primary after a failover, which goes on answering as a standby (found by `make faults`)."""
    settings = DatabaseSettings(database_url=database_url)
    engine = watched_engine(settings, ConnectionWatch(), application_name="test-watch", limit_seconds=10.0)

    def session(connection: Connection) -> int:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    with engine.begin() as connection:
        first = session(connection)
    with pytest.raises(InternalError), engine.begin() as connection:
        connection.execute(text("SET TRANSACTION READ ONLY; CREATE TABLE never (n int)"))
    with engine.begin() as connection:
        assert session(connection) != first
    engine.dispose()
