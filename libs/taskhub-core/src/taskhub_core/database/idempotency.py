"""Idempotency keys: stored in the transaction of the effect they belong to, so none is "in progress" for ever."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, DateTime, Index, LargeBinary, SmallInteger, Table, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB

from taskhub_core.database import driver
from taskhub_core.database.engine import to_json
from taskhub_core.database.schema import metadata

KEEP_HOURS = 24

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", Uuid, primary_key=True, comment="The account; the nil UUID for requests without one."),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False, comment="A MAC of method, URL and payload."),
    Column("status", SmallInteger, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("ix_idempotency_keys_created_at", "created_at"),
)


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer that a key's first request got."""

    fingerprint: bytes
    status: int
    headers: dict[str, Any]
    body: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, and the key that it is to be stored under."""

    scope: uuid.UUID
    key: str
    answer: StoredAnswer

    def parameters(self) -> dict[str, Any]:
        """The parameters of STORE."""
        return {
            "scope": self.scope,
            "key": self.key,
            "fingerprint": self.answer.fingerprint,
            "status": self.answer.status,
            "headers": to_json(self.answer.headers),
            "body": self.answer.body,
        }


STORE = """
    INSERT INTO idempotency_keys (scope, key, fingerprint, status, headers, body)
    VALUES (%(scope)s, %(key)s, %(fingerprint)s, %(status)s, CAST(%(headers)s AS jsonb), %(body)s)
    ON CONFLICT DO NOTHING
"""
"""For the driver, and to be part of a statement that does the rest of the work, too."""

_LOOK_UP = "SELECT fingerprint, status, headers, body FROM idempotency_keys WHERE scope = %(scope)s AND key = %(key)s"
_PURGE = text(
    """
    DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM idempotency_keys WHERE created_at < now() - make_interval(hours => :hours) LIMIT :limit))
    """
)


def look_up(connection: Connection, scope: uuid.UUID, key: str) -> StoredAnswer | None:
    """The stored answer of a key, or None when the key is new."""
    row = driver.fetch_one(connection, _LOOK_UP, {"scope": scope, "key": key})
    return None if row is None else StoredAnswer(bytes(row[0]), row[1], row[2], bytes(row[3]))


def store(connection: Connection, kept: Kept) -> bool:
    """Stores the answer; False when another request with this key committed first: roll back, replay its answer.

    A concurrent request with the same key waits here for the first one's end, at most lock_timeout.
    """
    return driver.execute(connection, STORE, kept.parameters()) == 1


def purge(connection: Connection, *, limit: int) -> int:
    """Deletes up to `limit` keys older than a day and returns how many."""
    return connection.execute(_PURGE, {"hours": KEEP_HOURS, "limit": limit}).rowcount
