"""Reconciliation: finds where the index drifted from PostgreSQL, repairs it, and leaves a record for the operators."""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched

import structlog
from elasticsearch import Elasticsearch
from sqlalchemy import Connection, Engine, text

from taskhub_core.ids import new_id
from taskhub_core.search.client import SearchFailure
from taskhub_core.search.document import Document, tombstone
from taskhub_core.search.drift import Candidate, Drift, DriftKind, compare, first_look, second_look
from taskhub_core.search.index import indices_behind
from taskhub_core.search.rows import BATCH_ROWS, these_rows
from taskhub_core.search.write import IndexUnavailable, write
from taskhub_core.telemetry import metrics

_log = structlog.get_logger(__name__)

GRACE_SECONDS = 5.0
"""How long an event may take to the index before a difference counts as drift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What a comparison found, and what was done about it."""

    index_name: str
    started_at: datetime
    documents_expected: int
    documents_found: int
    ranges_different: int
    missing: int = 0
    stale: int = 0
    superfluous: int = 0
    repaired: int = 0
    ahead: int = 0
    """How many of the stale ones are newer than PostgreSQL, which only a full reindex can mend."""
    id: uuid.UUID = field(default_factory=new_id)
    finished_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def drift(self) -> int:
        """How many documents differed."""
        return self.missing + self.stale + self.superfluous


def nothing_to_check() -> None:
    """The `check` of callers that are never told to stop."""


def reconcile(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    *,
    repair: bool = True,
    grace_seconds: float = GRACE_SECONDS,
    delivery_seconds: float = 0.0,
    check: Callable[[], None] = nothing_to_check,
) -> Reconciliation:
    """Compares all ranges and repairs the drift, if told to. `check` is called between steps and may raise to stop.

    What differs is drift if it still does after `grace_seconds` and was changed more than `delivery_seconds` ago.

    Raises IndexUnavailable when the alias is missing, and elasticsearch's and SQLAlchemy's errors.
    """
    started_at = datetime.now(UTC)
    index = next(iter(indices_behind(client, alias)), None)
    if index is None:
        raise IndexUnavailable(f"There is no index behind {alias}.", SearchFailure.MISSING)
    comparison = compare(engine, client, index)
    drifts: list[Drift] = []
    for candidates in first_look(engine, client, index, comparison.different):
        check()
        if candidates:
            _wait(grace_seconds, check)
            for some in second_look(engine, client, index, candidates, delivery_seconds=delivery_seconds):
                drifts += some
    repaired = repair_drift(engine, client, index, drifts, check=check) if repair else 0
    kinds = Counter(drift.kind for drift in drifts)
    result = Reconciliation(
        index_name=index,
        started_at=started_at,
        documents_expected=comparison.expected,
        documents_found=comparison.found,
        ranges_different=len(comparison.different),
        missing=kinds[DriftKind.MISSING],
        stale=kinds[DriftKind.STALE],
        superfluous=kinds[DriftKind.SUPERFLUOUS],
        repaired=repaired,
        ahead=sum(drift.ahead for drift in drifts),
    )
    _publish(engine, alias, result)
    return result


def repair_drift(
    engine: Engine,
    client: Elasticsearch,
    index: str,
    drifts: Sequence[Drift],
    *,
    check: Callable[[], None] = nothing_to_check,
) -> int:
    """Writes the documents again as PostgreSQL has them now; returns how many the index took."""
    repaired = 0
    for some in batched([drift for drift in drifts if not drift.ahead], BATCH_ROWS):
        check()
        documents = these_rows(engine, [drift.task_id for drift in some])
        documents += _gone(some, documents)
        outcome = write(client, index, documents, alias=False)
        repaired += outcome.written + outcome.already_newer
        for task_id, reason in outcome.refused.items():
            _log.error("the index refuses a document", task_id=str(task_id), reason=reason)
    return repaired


def bring_up_to_date(engine: Engine, client: Elasticsearch, index: str, candidates: Sequence[Candidate]) -> None:
    """Writes candidates of an index that no events go to: there is nothing to wait for before."""
    drifts = [Drift(candidate.task_id, DriftKind.MISSING, None, None) for candidate in candidates]
    repair_drift(engine, client, index, drifts)


def _gone(drifts: Sequence[Drift], documents: Sequence[Document]) -> list[Document]:
    """Tombstones for tasks without a row. Their version is past the index's, and nothing newer can ever come."""
    there = {document.task_id for document in documents}
    now = datetime.now(UTC)
    return [
        tombstone(drift.task_id, account_id=drift.account_id, version=drift.found_version + 1, at=now)
        for drift in drifts
        if drift.task_id not in there and drift.account_id is not None and drift.found_version is not None
    ]


def _wait(seconds: float, check: Callable[[], None]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        check()
        time.sleep(min(left, 0.5))


_STORE = text(
    """
    INSERT INTO search_reconciliations (id, index_name, started_at, finished_at, documents_expected, documents_found,
                                        ranges_different, missing, stale, superfluous, repaired)
    VALUES (:id, :index_name, :started_at, :finished_at, :documents_expected, :documents_found, :ranges_different,
            :missing, :stale, :superfluous, :repaired)
    """
)
_COLUMNS = (
    "id, index_name, started_at, finished_at, documents_expected, documents_found, ranges_different, missing, stale, "
    "superfluous, repaired"
)
_LATEST = text(f"SELECT {_COLUMNS} FROM search_reconciliations ORDER BY finished_at DESC LIMIT 1")  # noqa: S608


def _publish(engine: Engine, alias: str, result: Reconciliation) -> None:
    values = {name: getattr(result, name) for name in _COLUMNS.split(", ")}
    with engine.begin() as connection:
        connection.execute(_STORE, values)
    for kind in DriftKind:
        metrics.INDEX_DRIFT.labels(difference=kind.value).set(getattr(result, kind.value))
    metrics.INDEX_RECONCILED.labels(index=alias).set(result.finished_at.timestamp())
    _log.info(
        "index reconciled",
        **{name: values[name] for name in ("index_name", "missing", "stale", "superfluous", "repaired")},
    )


def latest(connection: Connection) -> Reconciliation | None:
    """The last one that ended, for the operators' page."""
    row = connection.execute(_LATEST).one_or_none()
    return None if row is None else Reconciliation(**row._mapping)
