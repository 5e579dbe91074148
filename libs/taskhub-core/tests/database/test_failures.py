"""Database errors are sorted by what can be done about them."""

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

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
