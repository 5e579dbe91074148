"""Database errors are sorted by what can be done about them."""

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from taskhub_core.database.failures import Failure, classify


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (psycopg.errors.AdminShutdown, Failure.UNAVAILABLE),
        (psycopg.errors.ReadOnlySqlTransaction, Failure.UNAVAILABLE),
        (psycopg.errors.SerializationFailure, Failure.CONFLICT),
        (psycopg.errors.DeadlockDetected, Failure.CONFLICT),
        (psycopg.errors.QueryCanceled, Failure.BUSY),
        (psycopg.errors.DiskFull, Failure.BUSY),
        (psycopg.errors.OutOfMemory, Failure.BUSY),
        (psycopg.errors.IoError, Failure.BUSY),
        (psycopg.errors.UniqueViolation, Failure.OTHER),
        (psycopg.OperationalError, Failure.UNAVAILABLE),
    ],
)
def test_an_error_is_sorted_by_what_can_be_done(error: type[psycopg.Error], failure: Failure) -> None:
    assert classify(error("x")) is failure
    assert classify(OperationalError("SELECT 1", {}, error("x"))) is failure


SORTED = {
    Failure.UNAVAILABLE: "08000 08001 08003 08004 08006 08007 08P01 25006 25P03 53300 57P01 57P02 57P03 57P05",
    Failure.CONFLICT: "40001 40P01",
    Failure.BUSY: "53000 53100 53200 55P03 57014 58030",
    Failure.OTHER: "22001 22003 22021 22P02 22P05 23502 23503 23505 23514 25001 25P02 42501 42703 42P01 54000 XX000",
}


@pytest.mark.parametrize(
    ("state", "failure"), [(state, failure) for failure, states in SORTED.items() for state in states.split()]
)
def test_an_sqlstate_is_sorted_by_what_can_be_done(state: str, failure: Failure) -> None:
    error = psycopg.errors.lookup(state)("x")
    assert error.sqlstate == state
    assert classify(error) is failure
    assert classify(DBAPIError("SELECT 1", {}, error)) is failure


def test_what_broke_the_connection_is_unavailable_whatever_its_code() -> None:
    error = psycopg.errors.InternalError_("x")
    assert classify(DBAPIError("SELECT 1", {}, error, connection_invalidated=True)) is Failure.UNAVAILABLE


def test_an_exhausted_pool_is_unavailable_and_a_bug_is_not() -> None:
    assert classify(PoolTimeout("QueuePool limit reached")) is Failure.UNAVAILABLE
    assert classify(ValueError("x")) is Failure.OTHER
    assert classify(psycopg.ProgrammingError("no code, and no connection lost")) is Failure.OTHER
