"""Cursors of searches: where a page ended, in which engine's order, and of which search.

An engine's scores mean nothing to the other one. A cursor of PostgreSQL is therefore always answered by PostgreSQL,
also when Elasticsearch is back; a cursor of Elasticsearch while that is away is refused with CursorExpired: the client
repeats its search without a cursor, and gets the first page from PostgreSQL.
"""

import base64
import hashlib
import math
import uuid
from dataclasses import dataclass

import orjson

from taskhub_core.errors import InvalidInput
from taskhub_core.search.request import SearchRequest, Source


class CursorExpired(InvalidInput):
    """The engine that gave the cursor out is away, or lost its place: repeat the search without a cursor."""

    def __init__(self) -> None:
        super().__init__(
            "The cursor belongs to the search index, which does not answer now. Repeat the search without a cursor.",
            field="cursor",
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last hit of a page."""

    source: Source
    score: float
    task_id: uuid.UUID


def write_cursor(cursor: Cursor, request: SearchRequest) -> str:
    """The cursor as clients carry it."""
    content = [cursor.source.value, cursor.score, cursor.task_id, _fingerprint(request)]
    return base64.urlsafe_b64encode(orjson.dumps(content)).rstrip(b"=").decode()


def read_cursor(request: SearchRequest) -> Cursor | None:
    """The request's cursor, if it has one. Raises InvalidInput for one that is damaged or of another search."""
    if request.cursor is None:
        return None
    try:
        source, score, task_id, fingerprint = orjson.loads(
            base64.urlsafe_b64decode(request.cursor + "=" * (-len(request.cursor) % 4))
        )
        if fingerprint != _fingerprint(request) or not math.isfinite(score):
            raise ValueError("of another search")
        return Cursor(Source(source), float(score), uuid.UUID(task_id))
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(
            "The cursor is not one that this search gave out. Start again without it.", field="cursor"
        ) from error


def _fingerprint(request: SearchRequest) -> str:
    asked = orjson.dumps([request.account_id, request.words(), request.filters], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(asked).hexdigest()[:12]
