"""A full reindex: a new index beside the old one, filled, caught up, verified, and only then put behind the alias.

Nothing pauses. Events go on to the old index meanwhile; what changed since the start is written to the new one again
before and after the swap, and since every write carries its version, doing it twice harms nothing. Rows of
transactions that were under way at the start may carry earlier times, so "since the start" means since a margin before.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from elasticsearch import Elasticsearch, NotFoundError
from sqlalchemy import Engine, text

from taskhub_core.errors import Conflict, TaskHubError, Unavailable
from taskhub_core.search.document import Document
from taskhub_core.search.drift import compare, first_look, second_look
from taskhub_core.search.index import (
    all_indices,
    create_index,
    extend_mapping,
    indices_behind,
    new_index_name,
    swap_alias,
)
from taskhub_core.search.reconcile import bring_up_to_date, nothing_to_check
from taskhub_core.search.rows import all_rows, rows_changed
from taskhub_core.search.write import write

_log = structlog.get_logger(__name__)

_LOCK = 0x7A5C_0003  # any constant: the advisory lock of reindexing
_MARGIN = timedelta(seconds=60)
"""Longer than a transaction may take (its statements and its idle time are limited) plus what clocks may differ."""
_ROUNDS = 5
_TIMEOUT_SECONDS = 60.0
_ABANDONED_AFTER = timedelta(hours=24)

_NO_IDLE_LIMIT = text("SET LOCAL idle_in_transaction_session_timeout = 0")
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_ESTIMATE = text("SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'tasks'::regclass")


class ReindexRunning(Conflict):
    """Another reindex is under way."""


class VerificationFailed(TaskHubError):
    """The new index does not equal PostgreSQL. The alias still points to the old one."""


type Report = Callable[[int, int | None, str], None]
"""Told how many documents were written so far, how many there may be, and the present step."""


def _report_nothing(_done: int, _total: int | None, _step: str) -> None:
    """For callers that do not watch."""


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What a full reindex did."""

    index: str
    documents: int
    """Written in the first pass."""
    caught_up: int
    """Written again because they changed meanwhile."""
    seconds: float
    removed: tuple[str, ...]
    """Old indices that were deleted."""


def ensure_index(
    engine: Engine, client: Elasticsearch, alias: str, *, check: Callable[[], None] = nothing_to_check
) -> Reindexed | None:
    """Makes sure that there is an index behind the alias, that it is complete, and that it knows this release's fields.

    A missing one (a new installation, or a wiped Elasticsearch) is built from PostgreSQL before the alias points to
    it: an alias in front of an empty index would have searches answered wrongly instead of by PostgreSQL. Any number
    of processes may call it; one builds. Raises Unavailable while another one does.
    """
    if indices_behind(client, alias):
        extend_mapping(client, alias)
        return None
    try:
        return reindex(engine, client, alias, only_if_missing=True, check=check)
    except ReindexRunning as error:
        raise Unavailable(str(error), dependency="elasticsearch") from error


def reindex(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    *,
    report: Report = _report_nothing,
    check: Callable[[], None] = nothing_to_check,
    only_if_missing: bool = False,
) -> Reindexed | None:
    """Builds a new index and swaps the alias to it. `check` is called between batches and may raise to stop.

    Returns None when `only_if_missing` and the alias is there by now. Raises ReindexRunning, VerificationFailed,
    IndexUnavailable, and elasticsearch's and SQLAlchemy's errors; the alias is then as it was, and the half-built
    index is gone.
    """
    began = time.monotonic()
    client = client.options(request_timeout=_TIMEOUT_SECONDS)
    with _alone(engine):
        if only_if_missing and indices_behind(client, alias):
            return None
        since = datetime.now(UTC) - _MARGIN
        index = new_index_name(alias)
        create_index(client, index)
        try:
            documents = _fill(engine, client, index, report, check)
            caught_up = _catch_up(engine, client, index, since, check)
            report(documents, documents, "verifying")
            _verify(engine, client, index)
            check()
        except BaseException:
            _remove(client, [index])
            raise
        old = swap_alias(client, alias, to=index)
        _log.info("alias swapped", alias=alias, index=index, before=old)
        report(documents, documents, "catching up after the swap")
        # Events that the old index took between the last pass and the swap are in PostgreSQL: written again.
        caught_up += _catch_up(engine, client, index, since, nothing_to_check)
        _verify(engine, client, index)
        removed = _remove(client, [*old, *_abandoned(client, alias, index)])
        return Reindexed(index, documents, caught_up, time.monotonic() - began, removed)


@contextlib.contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Holds a transaction's advisory lock. Losing it with its connection costs work, not correctness."""
    connection = engine.connect()
    try:
        connection.execute(_NO_IDLE_LIMIT)
        if not connection.execute(_TRY_LOCK, {"lock": _LOCK}).scalar():
            raise ReindexRunning("Another reindex is under way. Wait for it to end.")
        yield
    finally:
        # The lock's connection may have been lost meanwhile; closing it then fails, and there is nothing left to undo.
        with contextlib.suppress(Exception):
            connection.close()


def _fill(engine: Engine, client: Elasticsearch, index: str, report: Report, check: Callable[[], None]) -> int:
    with engine.begin() as connection:
        estimate = int(connection.execute(_ESTIMATE).scalar_one())
    done = 0
    for documents in all_rows(engine):
        check()
        _write(client, index, documents)
        done += len(documents)
        report(done, max(estimate, done), "writing")
    return done


def _catch_up(engine: Engine, client: Elasticsearch, index: str, since: datetime, check: Callable[[], None]) -> int:
    done = 0
    for documents in rows_changed(engine, since=since, until=datetime.now(UTC) + _MARGIN):
        check()
        _write(client, index, documents)
        done += len(documents)
    return done


def _write(client: Elasticsearch, index: str, documents: list[Document]) -> None:
    refused = write(client, index, documents, alias=False).refused
    if refused:
        task_id, reason = next(iter(refused.items()))
        raise VerificationFailed(
            f"The index refuses {len(refused)} documents, the first being task {task_id}: {reason}"
        )


def _verify(engine: Engine, client: Elasticsearch, index: str) -> None:
    """Compares count and checksum per range. What differs is written again, and must then be there."""
    for _ in range(_ROUNDS):
        different = compare(engine, client, index).different
        drifts = 0
        for candidates in first_look(engine, client, index, different):
            bring_up_to_date(engine, client, index, candidates)
            drifts += sum(len(some) for some in second_look(engine, client, index, candidates))
        if drifts == 0:
            return
    raise VerificationFailed(f"{index} still differs from PostgreSQL in {drifts} documents after {_ROUNDS} repairs.")


def _remove(client: Elasticsearch, indices: list[str]) -> tuple[str, ...]:
    for name in indices:
        with contextlib.suppress(NotFoundError):
            client.indices.delete(index=name)
    return tuple(indices)


def _abandoned(client: Elasticsearch, alias: str, current: str) -> list[str]:
    """Indices that a killed reindex left behind; young ones may belong to one that lost its lock and still runs."""
    limit = datetime.now(UTC) - _ABANDONED_AFTER
    return [name for name in all_indices(client, alias) if name != current and _made_at(name, alias) < limit]


def _made_at(name: str, alias: str) -> datetime:
    try:
        return datetime.strptime(name.removeprefix(f"{alias}-")[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime.now(UTC)  # not one of ours: never touched
