"""Engines: how a process connects to PostgreSQL, with a limit on everything that could wait for ever."""

from typing import Any

import orjson
import psycopg
from sqlalchemy import URL, Engine, ExceptionContext, create_engine, event, make_url

from taskhub_core.settings import DatabaseSettings


def sqlalchemy_url(settings: DatabaseSettings, *, direct: bool = False) -> URL:
    """The URL that SQLAlchemy and psycopg 3 want. `direct` goes around the connection pooler, if there is one."""
    url = settings.database_direct_url if direct and settings.database_direct_url else settings.database_url
    return make_url(str(url)).set(drivername="postgresql+psycopg")


def session_settings(settings: DatabaseSettings) -> dict[str, int | str]:
    """What every session of ours sets on the server. Times are in milliseconds."""
    return {
        "statement_timeout": settings.database_statement_timeout_ms,
        "lock_timeout": settings.database_lock_timeout_ms,
        "idle_in_transaction_session_timeout": settings.database_idle_in_transaction_timeout_ms,
        "TimeZone": "UTC",
    }


def connect_args(settings: DatabaseSettings, *, application_name: str, direct: bool = False) -> dict[str, Any]:
    """libpq's parameters. The server ends what takes too long; keepalives notice a lost peer (failure mode 3)."""
    args: dict[str, Any] = {
        "connect_timeout": settings.database_connect_timeout_seconds,
        "application_name": application_name,
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }
    if settings.database_pooler == "transaction" and not direct:
        # PgBouncer hands each transaction any server connection: prepared statements and session settings would leak
        # from one client to another, and unknown start-up parameters are refused.
        args["prepare_threshold"] = None
    else:
        args["options"] = " ".join(f"-c {name}={value}" for name, value in session_settings(settings).items())
        args["prepare_threshold"] = 2
    return args


def to_json(value: object) -> str:
    """How values become json columns: one compact encoder for the whole project."""
    return orjson.dumps(value).decode()


def engine_options(settings: DatabaseSettings, *, application_name: str, direct: bool = False) -> dict[str, Any]:
    """What the synchronous and the asynchronous engine have in common."""
    return {
        "connect_args": connect_args(settings, application_name=application_name, direct=direct),
        "pool_size": settings.database_pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.database_pool_wait_seconds,
        "pool_recycle": 1_800,
        "pool_pre_ping": True,
        "pool_use_lifo": True,  # idle connections grow old and are recycled instead of all being kept warm
        "hide_parameters": True,  # an error's text would show them: bodies, tokens
        "json_serializer": to_json,
        "json_deserializer": orjson.loads,
    }


def make_engine(settings: DatabaseSettings, *, application_name: str, direct: bool = False) -> Engine:
    """A synchronous engine, for the worker, the dispatcher, the consumer and commands."""
    options = engine_options(settings, application_name=application_name, direct=direct)
    engine = create_engine(sqlalchemy_url(settings, direct=direct), **options)
    leave_read_only_servers(engine)
    return engine


def leave_read_only_servers(engine: Engine) -> None:
    """Drops the pool's connections when a server turns out to be read-only: after a failover, that is the old primary.

    Such a connection works, so that the pool would hand it out again and again.
    """

    def treat_as_disconnected(context: ExceptionContext) -> None:
        if isinstance(context.original_exception, psycopg.errors.ReadOnlySqlTransaction):
            context.is_disconnect = True

    event.listen(engine, "handle_error", treat_as_disconnected)
