"""Statements straight to the driver: part of SQLAlchemy's transaction, and their errors are SQLAlchemy's."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from taskhub_core.database import driver
from taskhub_core.database.engine import make_engine
from taskhub_core.database.failures import Failure, classify, constraint_name
from taskhub_core.settings import DatabaseSettings

ACCOUNT = "INSERT INTO accounts (id, email, password_hash) VALUES (uuidv7(), %(email)s, 'x')"
COUNT = "SELECT count(*) FROM accounts WHERE email = %(email)s"
EMAIL = {"email": "driver@example.com"}


@pytest.fixture
def engine(clean_database: str) -> Iterator[Engine]:
    made = make_engine(DatabaseSettings(database_url=clean_database), application_name="test-driver")
    yield made
    made.dispose()


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        row = driver.fetch_one(connection, COUNT, EMAIL)
    assert row is not None
    return int(row[0])


def _pid(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_a_statement_belongs_to_the_transaction_around_it(engine: Engine) -> None:
    with engine.connect() as connection:
        assert driver.execute(connection, ACCOUNT, EMAIL) == 1
        assert driver.fetch_one(connection, COUNT, EMAIL) == (1,)
    assert _count(engine) == 0
    with engine.connect() as connection:
        driver.execute(connection, ACCOUNT, EMAIL)
        connection.commit()
    assert _count(engine) == 1


def test_no_row_is_none(engine: Engine) -> None:
    with engine.connect() as connection:
        assert driver.fetch_one(connection, "SELECT 1 WHERE %(no)s", {"no": False}) is None


def test_a_violated_constraint_is_the_error_that_sqlalchemy_raises(engine: Engine) -> None:
    with engine.begin() as connection:
        driver.execute(connection, ACCOUNT, EMAIL)
    with engine.connect() as connection, pytest.raises(IntegrityError) as raised:
        driver.execute(connection, ACCOUNT, EMAIL)
    assert constraint_name(raised.value) is not None
    assert "SQL parameters hidden" in str(raised.value)


@pytest.mark.parametrize("use", [driver.execute, driver.fetch_one])
def test_a_lost_connection_is_dropped_and_its_pool_with_it(engine: Engine, use: Callable[..., object]) -> None:
    with engine.connect() as other, engine.connect() as connection:
        old = {_pid(other), lost := _pid(connection)}
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": lost})
        other.rollback()
        with pytest.raises(DBAPIError) as raised:
            use(connection, COUNT, EMAIL)
        assert raised.value.connection_invalidated
        assert classify(raised.value) is Failure.UNAVAILABLE
    with engine.connect() as one, engine.connect() as another:
        assert not {_pid(one), _pid(another)} & old


def test_a_server_that_became_read_only_is_left(engine: Engine) -> None:
    with engine.connect() as connection:
        old = _pid(connection)
        connection.execute(text("SET TRANSACTION READ ONLY"))
        with pytest.raises(DBAPIError) as raised:
            driver.execute(connection, ACCOUNT, EMAIL)
        assert classify(raised.value) is Failure.UNAVAILABLE
    with engine.connect() as connection:
        assert _pid(connection) != old
