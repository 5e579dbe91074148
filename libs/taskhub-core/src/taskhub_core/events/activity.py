"""The account's activity feed. Its row is also the inbox entry of its event: effect and record in one insert."""

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, text

from taskhub_core.errors import InvalidInput
from taskhub_core.events.schema import Event


@dataclass(frozen=True, slots=True)
class ActivityEntry:
    """One line of the feed."""

    event_id: uuid.UUID
    type: str
    subject_id: uuid.UUID
    summary: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """Some lines, newest first, and the cursor of the page after them (None at the end)."""

    entries: list[ActivityEntry]
    next_cursor: str | None


# In the order of the ids, so that two consumers which were given the same events wait for each other instead of
# deadlocking. Events of an account that is gone have nobody to tell: they are left out rather than violating the key.
_RECORD = text(
    """
    INSERT INTO activity (event_id, account_id, type, subject_id, summary, schema_version, occurred_at)
    SELECT new.* FROM unnest(
        CAST(:event_ids AS uuid[]), CAST(:account_ids AS uuid[]), CAST(:types AS text[]), CAST(:subject_ids AS uuid[]),
        CAST(:summaries AS text[]), CAST(:schema_versions AS smallint[]), CAST(:occurred AS timestamptz[])
    ) AS new (event_id, account_id, type, subject_id, summary, schema_version, occurred_at)
    JOIN accounts ON accounts.id = new.account_id
    ORDER BY new.event_id
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id
    """
)


def record(connection: Connection, events: Sequence[Event]) -> set[uuid.UUID]:
    """Adds the events to their feeds and returns the ids that are new: only those may have further effects."""
    if not events:
        return set()
    rows = connection.execute(
        _RECORD,
        {
            "event_ids": [event.event_id for event in events],
            "account_ids": [event.account_id for event in events],
            "types": [event.type for event in events],
            "subject_ids": [event.subject_id for event in events],
            "summaries": [event.summary for event in events],
            "schema_versions": [event.schema_version for event in events],
            "occurred": [event.occurred_at for event in events],
        },
    )
    return set(rows.scalars())


# Keyset pages on ix_activity_account_id_occurred_at_event_id, read backwards.
_LIST = text(
    """
    SELECT event_id, type, subject_id, summary, occurred_at FROM activity
    WHERE account_id = :account_id
      AND (cardinality(CAST(:types AS text[])) = 0 OR type = ANY (CAST(:types AS text[])))
      AND (CAST(:before_time AS timestamptz) IS NULL
           OR (occurred_at, event_id) < (:before_time, CAST(:before_id AS uuid)))
    ORDER BY occurred_at DESC, event_id DESC LIMIT :limit
    """
)


def list_activity(
    connection: Connection,
    account_id: uuid.UUID,
    *,
    types: Sequence[str] = (),
    limit: int = 50,
    cursor: str | None = None,
) -> ActivityPage:
    """One page of the feed, of all types or of some. Raises InvalidInput for a damaged cursor."""
    before_time, before_id = _read_cursor(cursor) if cursor is not None else (None, None)
    parameters = {
        "account_id": account_id,
        "types": list(types),
        "before_time": before_time,
        "before_id": before_id,
        "limit": limit + 1,
    }
    rows = connection.execute(_LIST, parameters).all()
    entries = [ActivityEntry(*row) for row in rows[:limit]]
    return ActivityPage(entries, _write_cursor(entries[-1]) if len(rows) > limit else None)


def _write_cursor(last: ActivityEntry) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([last.occurred_at, last.event_id])).rstrip(b"=").decode()


def _read_cursor(cursor: str) -> tuple[datetime, uuid.UUID]:
    try:
        occurred_at, event_id = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        last = datetime.fromisoformat(occurred_at), uuid.UUID(event_id)
        if last[0].tzinfo is None:
            raise ValueError("a time without a zone")
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(
            "The cursor is not one that the feed gave out. Start again without it.", field="cursor"
        ) from (error)
    return last
