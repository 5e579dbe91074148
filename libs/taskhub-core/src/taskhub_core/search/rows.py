"""Reading tasks from PostgreSQL for the index, in batches and short transactions: bounded memory, no long snapshot."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row, text

from taskhub_core.search.document import Document, live, tombstone
from taskhub_core.tasks.task import COLUMNS, from_row

BATCH_ROWS = 1_000

_FIRST_ID = uuid.UUID(int=0)

# Each reads along an index from where the last batch ended: the primary key, then ix_tasks_updated_at.
_BY_ID = text(f"SELECT {COLUMNS}, deleted_at FROM tasks WHERE id > :last ORDER BY id LIMIT :limit")  # noqa: S608
_BY_CHANGE = text(
    f"""
    SELECT {COLUMNS}, deleted_at FROM tasks
    WHERE updated_at >= :since AND updated_at <= :until AND (updated_at, id) > (:last_time, CAST(:last AS uuid))
    ORDER BY updated_at, id LIMIT :limit
    """  # noqa: S608 - no value is formatted in
)
_THESE = text(f"SELECT {COLUMNS}, deleted_at FROM tasks WHERE id = ANY (CAST(:ids AS uuid[]))")  # noqa: S608


def all_rows(engine: Engine) -> Iterator[list[Document]]:
    """Every task, in batches. Deleted ones too: their tombstones keep late events from bringing them back."""
    last = _FIRST_ID
    while rows := _fetch(engine, _BY_ID, last=last, limit=BATCH_ROWS):
        yield [_document(row) for row in rows]
        last = rows[-1].id


def rows_changed(engine: Engine, *, since: datetime, until: datetime) -> Iterator[list[Document]]:
    """The tasks that say they were changed between these times, in batches."""
    last_time, last = since, _FIRST_ID
    while rows := _fetch(
        engine, _BY_CHANGE, since=since, until=until, last_time=last_time, last=last, limit=BATCH_ROWS
    ):
        yield [_document(row) for row in rows]
        last_time, last = rows[-1].updated_at, rows[-1].id


def these_rows(engine: Engine, ids: Sequence[uuid.UUID]) -> list[Document]:
    """The tasks with these ids, as far as they have a row."""
    return [_document(row) for row in _fetch(engine, _THESE, ids=list(ids))]


def _fetch(engine: Engine, query: Any, **parameters: Any) -> Sequence[Row[Any]]:
    with engine.begin() as connection:
        return connection.execute(query, parameters).all()


def _document(row: Row[Any]) -> Document:
    if row.deleted_at is None:
        return live(from_row(row))
    return tombstone(row.id, account_id=row.account_id, version=row.version, at=row.updated_at)
