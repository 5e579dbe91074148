"""Bringing a database to the newest schema: the one Alembic history, run under a lock so that two runs cannot meet."""

import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy import URL, Connection, create_engine, make_url, text

from taskhub_core.database.engine import session_settings, sqlalchemy_url
from taskhub_core.settings import DatabaseSettings

_LOCK = 0x7A5C_0001  # any constant: the advisory lock of migrations
_LOCK_POLL_SECONDS = 0.2


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, with the history that ships in this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def upgrade(url: URL | str, revision: str = "head") -> None:
    """Upgrades the database to `revision`. A second run waits for the first; a lock held by traffic fails it."""
    parsed = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, connect_args={"connect_timeout": 10, "application_name": "taskhub-migrate"})
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as guard:
            # Asked for again and again: a statement that waits would be waited for by CREATE INDEX CONCURRENTLY.
            while not guard.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}).scalar_one():
                time.sleep(_LOCK_POLL_SECONDS)
            try:
                with engine.connect() as connection:
                    # A migration that cannot have its lock at once gives way to the traffic and may be run again.
                    connection.execute(text("SET lock_timeout = '3s'"))
                    # Building an index may take long; the role's own limit is for requests (set_role_defaults).
                    connection.execute(text("SET statement_timeout = 0"))
                    connection.commit()
                    command.upgrade(alembic_config(connection), revision)
            finally:
                guard.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
    finally:
        engine.dispose()


def set_role_defaults(settings: DatabaseSettings) -> None:
    """Makes the session settings the defaults of our role in this database.

    Behind a pooler in transaction mode no session can set them for itself. A role may do this to itself.
    """
    engine = create_engine(sqlalchemy_url(settings, direct=True), connect_args={"connect_timeout": 10})
    try:
        with engine.begin() as connection:
            database = connection.execute(text("SELECT current_database()")).scalar_one()
            for name, value in session_settings(settings).items():
                statement = sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET {} = {}").format(
                    sql.Identifier(database), sql.Identifier(name), sql.Literal(str(value))
                )
                connection.exec_driver_sql(statement.as_string())
    finally:
        engine.dispose()
