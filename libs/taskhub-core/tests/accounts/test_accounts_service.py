"""Accounts and sessions in PostgreSQL, also when two things happen at once."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from taskhub_core.accounts import service
from taskhub_core.accounts.models import Role
from taskhub_core.accounts.service import RefreshTokenInvalid, RefreshTokenReused
from taskhub_core.errors import Conflict, NotFound
from taskhub_core.ids import new_id
from taskhub_local.testing import wait_for

DAY = timedelta(days=1)


def _register(engine: Engine, email: str) -> service.Account:
    with engine.begin() as connection:
        return service.register(connection, account_id=new_id(), email=email, password_hash="hash")


def _log_in(engine: Engine, account_id: uuid.UUID) -> uuid.UUID:
    with engine.begin() as connection:
        return service.log_in(connection, account_id, token_id=new_id(), valid_for=DAY).id


def _exchange(engine: Engine, token_id: uuid.UUID) -> uuid.UUID:
    with engine.begin() as connection:
        return service.exchange(connection, token_id, fresh_id=new_id(), valid_for=DAY).id


def test_an_address_has_one_account_whatever_its_case(engine: Engine, clean_database: str) -> None:
    account = _register(engine, "Someone@example.com")
    with pytest.raises(Conflict):
        _register(engine, "someone@EXAMPLE.com")
    with engine.connect() as connection:
        found = service.credentials(connection, "SOMEONE@example.com")
        assert found is not None
        assert found.account_id == account.id
        assert service.get(connection, account.id) == account
        assert service.credentials(connection, "nobody@example.com") is None
        with pytest.raises(NotFound):
            service.get(connection, new_id())


def test_of_simultaneous_registrations_one_wins_and_one_mail_is_sent(engine: Engine, clean_database: str) -> None:
    outcomes: list[str] = []

    def register() -> None:
        try:
            _register(engine, "someone@example.com")
            outcomes.append("made")
        except Conflict:
            outcomes.append("conflict")

    _in_threads(*[register] * 6)
    assert sorted(outcomes) == ["conflict"] * 5 + ["made"]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM jobs WHERE kind = 'email.welcome'")).scalar_one() == 1


def test_an_operator_is_made_of_anybody_and_old_sessions_end(engine: Engine, clean_database: str) -> None:
    account = _register(engine, "someone@example.com")
    token = _log_in(engine, account.id)
    with engine.begin() as connection:
        made = service.make_operator(connection, account_id=new_id(), email="SOMEONE@example.com", password_hash="new")
        assert (made.id, made.role) == (account.id, Role.OPERATOR)
    with pytest.raises(RefreshTokenInvalid):
        _exchange(engine, token)


def test_a_hash_is_replaced_only_if_it_is_still_the_one_that_was_checked(engine: Engine, clean_database: str) -> None:
    account = _register(engine, "someone@example.com")
    with engine.begin() as connection:
        service.replace_password_hash(connection, account.id, old="another", new="lost")
        service.replace_password_hash(connection, account.id, old="hash", new="newer")
        found = service.credentials(connection, account.email)
    assert found is not None
    assert found.password_hash == "newer"


def test_a_refresh_token_is_good_for_one_exchange(engine: Engine, clean_database: str) -> None:
    first = _log_in(engine, _register(engine, "someone@example.com").id)
    second = _exchange(engine, first)
    with pytest.raises(RefreshTokenReused):
        _exchange(engine, first)
    _exchange(engine, second)  # seeing the reuse alone ends nothing: that is another unit of work
    with engine.begin() as connection:
        assert service.revoke_family(connection, first) == 3
        assert service.revoke_family(connection, first) == 0
    with pytest.raises(RefreshTokenInvalid):
        _exchange(engine, second)
    with pytest.raises(RefreshTokenInvalid):
        _exchange(engine, new_id())


def test_of_simultaneous_exchanges_one_wins(engine: Engine, clean_database: str) -> None:
    token = _log_in(engine, _register(engine, "someone@example.com").id)
    outcomes: list[str] = []

    def exchange() -> None:
        try:
            _exchange(engine, token)
            outcomes.append("exchanged")
        except RefreshTokenReused:
            outcomes.append("reused")

    _in_threads(*[exchange] * 6)
    assert sorted(outcomes) == ["exchanged"] + ["reused"] * 5


def test_a_revocation_also_ends_the_token_that_an_exchange_is_about_to_commit(
    engine: Engine, clean_database: str
) -> None:
    first = _log_in(engine, _register(engine, "someone@example.com").id)
    fresh = new_id()

    def revoke() -> None:
        with engine.begin() as connection:
            service.revoke_family(connection, first)

    with engine.begin() as connection:
        service.exchange(connection, first, fresh_id=fresh, valid_for=DAY)
        revoking = threading.Thread(target=revoke)
        revoking.start()
        wait_for(lambda: _someone_waits(engine), message="the revocation did not wait for the exchange")
    revoking.join()
    with pytest.raises(RefreshTokenInvalid):
        _exchange(engine, fresh)


def _someone_waits(engine: Engine) -> bool:
    def look(connection: Connection) -> bool:
        query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return connection.execute(text(query)).first() is not None

    with engine.connect() as connection:
        return look(connection)


def _in_threads(*runs: Callable[[], None]) -> None:
    threads = [threading.Thread(target=run) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
