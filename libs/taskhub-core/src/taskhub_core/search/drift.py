"""How the index differs from PostgreSQL: by count and checksum per range, then by id in the ranges that differ.

Both sides change all the time, so a difference is only a candidate at first. It is drift if a second look finds that
the index still has not reached what PostgreSQL had at the first one.
"""

import enum
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched

from elasticsearch import Elasticsearch
from sqlalchemy import Connection, Engine, text

from taskhub_core.search.document import BUCKET_SQL, BUCKETS, CHECKSUM_SQL

_PAGE = 5_000
_RANGES_AT_ONCE = 8
_SCAN_TIMEOUT = text("SET LOCAL statement_timeout = '10min'")

# One pass over the table; the second reads it once for every few ranges, and only for those that differ.
_SUMS = text(
    f"""
    SELECT {BUCKET_SQL} AS bucket, count(*) AS documents, sum({CHECKSUM_SQL})::bigint AS checksum
    FROM tasks WHERE deleted_at IS NULL GROUP BY 1
    """  # noqa: S608 - no value is formatted in
)
_VERSIONS = text(
    f"""
    SELECT id, version FROM tasks WHERE deleted_at IS NULL AND {BUCKET_SQL} = ANY (CAST(:buckets AS text[]))
    """  # noqa: S608 - no value is formatted in
)
_SECOND_LOOK = text(
    """
    SELECT id, CASE WHEN deleted_at IS NULL THEN version END AS live_version,
           clock_timestamp() - updated_at < make_interval(secs => :delivery_seconds) AS under_way
    FROM tasks WHERE id = ANY (CAST(:ids AS uuid[]))
    """
)


class DriftKind(enum.StrEnum):
    """What is wrong with a document."""

    MISSING = "missing"
    """The index does not have a task that PostgreSQL has."""
    STALE = "stale"
    """The index has another version of it: an older one, or (after a restore of PostgreSQL) a newer one."""
    SUPERFLUOUS = "superfluous"
    """The index has a task that PostgreSQL does not have."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Count and checksum of one range. The checksum tells versions apart, so equal sums mean equal contents."""

    documents: int = 0
    checksum: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides, range by range."""

    expected: int
    found: int
    different: tuple[str, ...]
    """The ranges whose sums differ."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A difference at first look: the live versions on either side (None: not there)."""

    task_id: uuid.UUID
    expected: int | None
    found: int | None


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference that stayed."""

    task_id: uuid.UUID
    kind: DriftKind
    account_id: uuid.UUID | None
    """As the index has it, if it has the document."""
    found_version: int | None
    ahead: bool = False
    """The index has a newer version than PostgreSQL. Only a full reindex mends that."""


def compare(engine: Engine, client: Elasticsearch, index: str) -> Comparison:
    """Compares count and checksum of every range: one query on either side."""
    client.indices.refresh(index=index)
    with engine.begin() as connection:
        expected = _sums_in_postgresql(connection)
    found = _sums_in_index(client, index)
    different = tuple(name for name in BUCKETS if expected.get(name, Sums()) != found.get(name, Sums()))
    return Comparison(
        sum(sums.documents for sums in expected.values()), sum(sums.documents for sums in found.values()), different
    )


def _sums_in_postgresql(connection: Connection) -> dict[str, Sums]:
    connection.execute(_SCAN_TIMEOUT)
    return {row.bucket: Sums(row.documents, row.checksum) for row in connection.execute(_SUMS)}


def _sums_in_index(client: Elasticsearch, index: str) -> dict[str, Sums]:
    answer = client.search(
        index=index,
        size=0,
        query={"term": {"deleted": False}},
        aggs={
            "ranges": {
                "terms": {"field": "bucket", "size": len(BUCKETS)},
                "aggs": {"checksum": {"sum": {"field": "checksum"}}},
            }
        },
        allow_partial_search_results=False,
    )
    ranges = answer["aggregations"]["ranges"]["buckets"]
    return {entry["key"]: Sums(entry["doc_count"], round(entry["checksum"]["value"])) for entry in ranges}


def first_look(engine: Engine, client: Elasticsearch, index: str, ranges: Sequence[str]) -> Iterator[list[Candidate]]:
    """What differs in these ranges, a few ranges at a time."""
    for some in batched(ranges, _RANGES_AT_ONCE):
        with engine.begin() as connection:
            connection.execute(_SCAN_TIMEOUT)
            rows = connection.execute(_VERSIONS, {"buckets": list(some)})
            expected: dict[uuid.UUID, int] = {row.id: row.version for row in rows}
        found = _versions_in_index(client, index, some)
        yield [
            Candidate(task_id, expected.get(task_id), found.get(task_id))
            for task_id in expected.keys() | found.keys()
            if expected.get(task_id) != found.get(task_id)
        ]


def _versions_in_index(client: Elasticsearch, index: str, ranges: Sequence[str]) -> dict[uuid.UUID, int]:
    found: dict[uuid.UUID, int] = {}
    after: list[str] | None = None
    query = {"bool": {"filter": [{"terms": {"bucket": list(ranges)}}, {"term": {"deleted": False}}]}}
    while True:
        answer = client.search(
            index=index,
            query=query,
            sort=[{"id": "asc"}],
            search_after=after,
            size=_PAGE,
            source=False,
            version=True,
            track_total_hits=False,
            allow_partial_search_results=False,
        )
        hits = answer["hits"]["hits"]
        found |= {uuid.UUID(hit["_id"]): hit["_version"] for hit in hits}
        if len(hits) < _PAGE:
            return found
        after = hits[-1]["sort"]


def second_look(
    engine: Engine, client: Elasticsearch, index: str, candidates: Sequence[Candidate], *, delivery_seconds: float = 0.0
) -> Iterator[list[Drift]]:
    """Those of the candidates that are drift, in batches.

    A task that was changed less than `delivery_seconds` ago is none: its event may still come.
    """
    for some in batched(candidates, _PAGE):
        # The index first: what it is asked for was then in PostgreSQL before.
        documents = client.mget(
            index=index,
            ids=[str(candidate.task_id) for candidate in some],
            source_includes=["version", "deleted", "account_id"],
        )["docs"]
        with engine.begin() as connection:
            ids = [candidate.task_id for candidate in some]
            rows = connection.execute(_SECOND_LOOK, {"ids": ids, "delivery_seconds": delivery_seconds}).all()
        current = {row.id: row.live_version for row in rows}
        under_way = {row.id for row in rows if row.under_way}
        judged = (
            _judge(candidate, current.get(candidate.task_id), document.get("_source"))
            for candidate, document in zip(some, documents, strict=True)
            if candidate.task_id not in under_way
        )
        yield [drift for drift in judged if drift is not None]


def _judge(candidate: Candidate, expected: int | None, source: dict[str, object] | None) -> Drift | None:
    task_id = candidate.task_id
    if source is None:
        in_both_looks = candidate.expected is not None and expected is not None
        return Drift(task_id, DriftKind.MISSING, None, None) if in_both_looks else None
    version, account_id = int(str(source["version"])), uuid.UUID(str(source["account_id"]))
    is_live = source["deleted"] is False
    if expected is None:
        superfluous = is_live and candidate.expected is None
        return Drift(task_id, DriftKind.SUPERFLUOUS, account_id, version) if superfluous else None
    if version > expected:
        return Drift(task_id, DriftKind.STALE, account_id, version, ahead=True)
    if candidate.expected is not None and version < candidate.expected:
        kind = DriftKind.STALE if is_live else DriftKind.MISSING
        return Drift(task_id, kind, account_id, version)
    return None
