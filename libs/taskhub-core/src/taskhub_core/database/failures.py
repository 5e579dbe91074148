"""Database errors sorted by what can be done about them: try again, or not."""

import enum

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_CONFLICTS = {"40001", "40P01"}  # serialization failure, deadlock: the same unit may succeed at once
_UNAVAILABLE = {
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now: starting up or in recovery
    "57P05",  # idle_session_timeout
    "25006",  # read_only_sql_transaction: we still talk to the old primary after a failover
    "25P03",  # idle_in_transaction_session_timeout
    "53300",  # too_many_connections
    "08000", "08001", "08003", "08004", "08006", "08007", "08P01",
}  # fmt: skip
_BUSY = {
    "55P03",  # lock_not_available
    "57014",  # query_canceled: statement_timeout
    "53000", "53100", "53200",  # insufficient_resources, disk_full, out_of_memory
    "58030",  # io_error
}  # fmt: skip


class Failure(enum.Enum):
    """What kind of failure an error is."""

    UNAVAILABLE = "unavailable"
    """No usable server behind the connection: drop it, connect again, repeat the unit of work."""
    CONFLICT = "conflict"
    """Two transactions got in each other's way: repeat the unit of work."""
    BUSY = "busy"
    """A lock or a statement took too long, or disk or memory ran short: repeating at once would make it worse."""
    OTHER = "other"
    """A bug or a violated constraint: repeating changes nothing."""


def classify(error: BaseException) -> Failure:
    """Sorts an error raised by SQLAlchemy or psycopg."""
    if isinstance(error, PoolTimeout):
        return Failure.UNAVAILABLE
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return Failure.OTHER
    return _classify_sqlstate(cause, invalidated=isinstance(error, DBAPIError) and error.connection_invalidated)


def _classify_sqlstate(cause: psycopg.Error, *, invalidated: bool) -> Failure:
    state = cause.sqlstate
    if state in _CONFLICTS:
        return Failure.CONFLICT
    if state in _UNAVAILABLE or invalidated:
        return Failure.UNAVAILABLE
    if state in _BUSY:
        return Failure.BUSY
    # Without a code the error was made by the client: the connection broke, or could not be opened.
    return Failure.UNAVAILABLE if state is None and isinstance(cause, psycopg.OperationalError) else Failure.OTHER


def constraint_name(error: DBAPIError) -> str | None:
    """The constraint that a statement violated, if that is what happened."""
    cause = error.orig
    return cause.diag.constraint_name if isinstance(cause, psycopg.errors.IntegrityError) else None
