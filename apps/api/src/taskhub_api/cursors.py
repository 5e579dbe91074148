"""Cursors of lists that are ordered by time: where a page ended, as text that clients carry and do not read."""

import base64
import uuid
from datetime import UTC, datetime

import orjson

from taskhub_core.errors import InvalidInput

type Place = tuple[datetime, uuid.UUID]
"""The last item of a page: its time, and its id where times are equal."""


def write_cursor(place: Place) -> str:
    """The cursor of the page after this place."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).rstrip(b"=").decode()


def read_cursor(cursor: str | None) -> Place | None:
    """The place that a cursor names; None for the first page. Raises InvalidInput (field `cursor`)."""
    if cursor is None:
        return None
    try:
        time, item_id = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return datetime.fromisoformat(time).astimezone(UTC), uuid.UUID(item_id)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidInput(
            "The cursor is not one that this list gave out. Start again without it.", field="cursor"
        ) from error


def next_cursor(places: list[Place], *, limit: int) -> str | None:
    """The cursor after a page that was read with one item more than `limit`; None when there is nothing after it."""
    return write_cursor(places[limit - 1]) if len(places) > limit else None
