"""What can be done with accounts and with the refresh tokens of their sessions."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from taskhub_core.accounts.models import Role
from taskhub_core.errors import Conflict, NotFound, TaskHubError
from taskhub_core.ids import derived_id
from taskhub_core.jobs.submit import NewJob, submit

WELCOME_KIND = "email.welcome"


@dataclass(frozen=True, slots=True)
class Account:
    """An account, without its password."""

    id: uuid.UUID
    email: str
    role: Role
    created_at: datetime

    def as_document(self) -> dict[str, Any]:
        """The account as clients see it."""
        return {"id": self.id, "email": self.email, "role": self.role.value, "created_at": self.created_at}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login is checked against."""

    account_id: uuid.UUID
    password_hash: str


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token's row, with the role its account has now."""

    id: uuid.UUID
    account_id: uuid.UUID
    role: Role
    issued_at: datetime
    expires_at: datetime


class RefreshTokenInvalid(TaskHubError):
    """The refresh token is unknown, expired or revoked."""


class RefreshTokenReused(TaskHubError):
    """The refresh token was exchanged before: somebody has a copy. Revoke its family."""

    def __init__(self, account_id: uuid.UUID) -> None:
        super().__init__("The refresh token was already used.")
        self.account_id = account_id


_REGISTER = text(
    """
    INSERT INTO accounts (id, email, password_hash) VALUES (:id, :email, :password_hash)
    ON CONFLICT ((lower(email))) DO NOTHING
    RETURNING id, email, role, created_at
    """
)


def register(connection: Connection, *, account_id: uuid.UUID, email: str, password_hash: str) -> Account:
    """Makes an account and submits its welcome mail. Raises Conflict when the address has one already."""
    row = connection.execute(
        _REGISTER, {"id": account_id, "email": email, "password_hash": password_hash}
    ).one_or_none()
    if row is None:
        raise Conflict("There is already an account with this e-mail address.")
    welcome = NewJob(id=derived_id("welcome", account_id), account_id=account_id, kind=WELCOME_KIND, args={})
    submit(connection, [welcome])
    return _account(row)


_MAKE_OPERATOR = text(
    """
    INSERT INTO accounts (id, email, password_hash, role) VALUES (:id, :email, :password_hash, 'operator')
    ON CONFLICT ((lower(email))) DO UPDATE SET role = 'operator', password_hash = excluded.password_hash
    RETURNING id, email, role, created_at
    """
)
_REVOKE_ACCOUNT = text(
    "UPDATE refresh_tokens SET revoked_at = now() WHERE account_id = :account_id AND revoked_at IS NULL"
)


def make_operator(connection: Connection, *, account_id: uuid.UUID, email: str, password_hash: str) -> Account:
    """Makes an operator, or makes an existing account one: it gets the new password, and its sessions end."""
    row = connection.execute(_MAKE_OPERATOR, {"id": account_id, "email": email, "password_hash": password_hash}).one()
    connection.execute(_REVOKE_ACCOUNT, {"account_id": row.id})
    return _account(row)


_GET = text("SELECT id, email, role, created_at FROM accounts WHERE id = :id")


def get(connection: Connection, account_id: uuid.UUID) -> Account:
    """The account. Raises NotFound."""
    row = connection.execute(_GET, {"id": account_id}).one_or_none()
    if row is None:
        raise NotFound(f"There is no account {account_id}.")
    return _account(row)


def _account(row: Row[Any]) -> Account:
    return Account(row.id, row.email, Role(row.role), row.created_at)


_CREDENTIALS = text("SELECT id, password_hash FROM accounts WHERE lower(email) = lower(:email)")


def credentials(connection: Connection, email: str) -> Credentials | None:
    """What a login with this address is checked against; None when no account has it."""
    row = connection.execute(_CREDENTIALS, {"email": email}).one_or_none()
    return None if row is None else Credentials(row.id, row.password_hash)


_REPLACE_HASH = text("UPDATE accounts SET password_hash = :new WHERE id = :id AND password_hash = :old")


def replace_password_hash(connection: Connection, account_id: uuid.UUID, *, old: str, new: str) -> None:
    """Stores the same password's hash with newer parameters, unless the password was changed meanwhile."""
    connection.execute(_REPLACE_HASH, {"id": account_id, "old": old, "new": new})


_LOG_IN = text(
    """
    WITH fresh AS (
        INSERT INTO refresh_tokens (id, account_id, family_id, expires_at)
        SELECT :token_id, id, :token_id, now() + :valid_for FROM accounts WHERE id = :account_id
        RETURNING id, account_id, issued_at, expires_at)
    SELECT fresh.*, accounts.role FROM fresh JOIN accounts ON accounts.id = fresh.account_id
    """
)


def log_in(connection: Connection, account_id: uuid.UUID, *, token_id: uuid.UUID, valid_for: timedelta) -> RefreshToken:
    """Begins a session: the first refresh token of a new family. Raises NotFound when the account is gone."""
    row = connection.execute(
        _LOG_IN, {"token_id": token_id, "account_id": account_id, "valid_for": valid_for}
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no account {account_id}.")
    return _refresh_token(row)


# Rotation and revocation of one family take turns. Without the lock, a token that an exchange is about to commit would
# be invisible to a revocation that runs at the same time, and would outlive it.
_LOCK_FAMILY = text(
    """
    SELECT pg_advisory_xact_lock(hashtextextended(CAST(family_id AS text), 7))
    FROM refresh_tokens WHERE id = :token_id
    """
)
_EXCHANGE = text(
    """
    WITH used AS (
        UPDATE refresh_tokens SET used_at = now()
        WHERE id = :token_id AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now()
        RETURNING account_id, family_id),
    fresh AS (
        INSERT INTO refresh_tokens (id, account_id, family_id, expires_at)
        SELECT :fresh_id, account_id, family_id, now() + :valid_for FROM used
        RETURNING id, account_id, issued_at, expires_at)
    SELECT fresh.*, accounts.role FROM fresh JOIN accounts ON accounts.id = fresh.account_id
    """
)
_REUSED = text(
    "SELECT account_id FROM refresh_tokens WHERE id = :token_id AND used_at IS NOT NULL AND revoked_at IS NULL"
)


def exchange(connection: Connection, token_id: uuid.UUID, *, fresh_id: uuid.UUID, valid_for: timedelta) -> RefreshToken:
    """Uses the refresh token up and makes the next one of its family.

    Raises RefreshTokenInvalid, and RefreshTokenReused when it was used before: then call `revoke_family`, in a unit of
    work of its own, since this one is rolled back.
    """
    if connection.execute(_LOCK_FAMILY, {"token_id": token_id}).one_or_none() is None:
        raise RefreshTokenInvalid("The refresh token is not known.")
    row = connection.execute(
        _EXCHANGE, {"token_id": token_id, "fresh_id": fresh_id, "valid_for": valid_for}
    ).one_or_none()
    if row is not None:
        return _refresh_token(row)
    reused = connection.execute(_REUSED, {"token_id": token_id}).one_or_none()
    if reused is not None:
        raise RefreshTokenReused(reused.account_id)
    raise RefreshTokenInvalid("The refresh token has expired or was revoked.")


_REVOKE_FAMILY = text(
    """
    UPDATE refresh_tokens SET revoked_at = now()
    WHERE family_id = (SELECT family_id FROM refresh_tokens WHERE id = :token_id) AND revoked_at IS NULL
    """
)


def revoke_family(connection: Connection, token_id: uuid.UUID) -> int:
    """Ends the session that the refresh token belongs to; returns how many of its tokens that revoked."""
    connection.execute(_LOCK_FAMILY, {"token_id": token_id})
    return connection.execute(_REVOKE_FAMILY, {"token_id": token_id}).rowcount


def _refresh_token(row: Row[Any]) -> RefreshToken:
    return RefreshToken(row.id, row.account_id, Role(row.role), row.issued_at, row.expires_at)
