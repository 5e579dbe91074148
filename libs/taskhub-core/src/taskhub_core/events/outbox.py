"""The outbox: events committed with the change they tell of, and sent to SQS afterwards by the dispatcher.

A row is one event not yet sent; sending deletes it. Rows are taken with SKIP LOCKED, never by a cursor on `id > last`:
transactions commit out of order, and a cursor would step over the late ones.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, text

from taskhub_core.events.schema import Event

_ADD = text(
    """
    INSERT INTO outbox (id, message)
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:messages AS jsonb[]))
    """
)
# Oldest first by the index on created_at; the lock keeps other dispatchers off these rows until the transaction ends.
_TAKE = text("SELECT id, message FROM outbox ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED")
_REMOVE = text("DELETE FROM outbox WHERE id = ANY (CAST(:ids AS uuid[]))")
_MEASURE = text("SELECT count(*) AS depth, EXTRACT(epoch FROM now() - min(created_at))::float8 AS age FROM outbox")


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An event that waits to be sent."""

    id: uuid.UUID
    message: dict[str, Any]


def add(connection: Connection, events: Sequence[Event]) -> None:
    """Records events in the caller's transaction."""
    if events:
        messages = [orjson.dumps(event.__dict__).decode() for event in events]
        connection.execute(_ADD, {"ids": [event.event_id for event in events], "messages": messages})


def take(connection: Connection, *, limit: int) -> list[OutboxRow]:
    """Locks up to `limit` rows that nobody else is sending."""
    return [OutboxRow(row.id, row.message) for row in connection.execute(_TAKE, {"limit": limit})]


def remove(connection: Connection, ids: Sequence[uuid.UUID]) -> None:
    """Strikes sent events off. Only for rows locked by `take` in the same transaction."""
    if ids:
        connection.execute(_REMOVE, {"ids": list(ids)})


def measure(connection: Connection) -> tuple[int, float]:
    """How many events wait, and the age of the oldest in seconds (0 when none waits)."""
    row = connection.execute(_MEASURE).one()
    return row.depth, row.age or 0.0
