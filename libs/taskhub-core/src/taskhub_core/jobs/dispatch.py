"""The dispatcher's side of a job: promote what is due, hand out a window of it, take back what was lost.

The broker holds a window, not the backlog (docs/adr/0002): at most `window` job ids are with it at a time, the rest
wait in PostgreSQL in the order of their priority. So priorities hold, a wiped broker loses little, and what it lost is
small to find. A job is marked first and published afterwards: no lock is held while the network is waited for, and a
dispatcher that dies between the two leaves a mark that `find_lost` clears.
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, text

from taskhub_core.jobs.registry import Registry
from taskhub_core.jobs.states import JobState

_ONE_QUEUE: Mapping[str, str] = MappingProxyType({})
_LIMITED_LOCK = 0x7A5C_0002  # any constant: the advisory lock under which limited kinds are counted


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A job to publish."""

    job_id: uuid.UUID
    kind: str
    attempt: int
    priority: int


# Uses ix_jobs_scheduled: reads the due rows only.
_PROMOTE = text(
    """
    UPDATE jobs SET state = 'queued', dispatched_at = NULL
    WHERE id = ANY (ARRAY(
        SELECT id FROM jobs WHERE state = 'scheduled' AND run_at <= now()
        ORDER BY run_at LIMIT :limit FOR UPDATE SKIP LOCKED))
      AND state = 'scheduled'
    """
)


def promote_due(connection: Connection, *, limit: int) -> int:
    """Queues scheduled jobs whose time has come; returns how many."""
    return connection.execute(_PROMOTE, {"limit": limit}).rowcount


_SECONDS_TO_NEXT = text("SELECT EXTRACT(epoch FROM min(run_at) - now())::float8 FROM jobs WHERE state = 'scheduled'")


def seconds_to_next_due(connection: Connection) -> float | None:
    """How long until the next scheduled job is due; None when none is scheduled."""
    seconds: float | None = connection.execute(_SECONDS_TO_NEXT).scalar()
    return seconds


_OUTSTANDING = text("SELECT count(*) FROM jobs WHERE state = 'queued' AND dispatched_at IS NOT NULL")
_OUTSTANDING_BY_KIND = text(
    "SELECT kind, count(*) AS jobs FROM jobs WHERE state = 'queued' AND dispatched_at IS NOT NULL GROUP BY kind"
)
# Steps from kind to kind along ix_jobs_waiting_kind: reads as many rows as there are kinds.
_WAITING_KINDS = text(
    """
    WITH RECURSIVE waiting AS (
        (SELECT kind FROM jobs WHERE state = 'queued' AND dispatched_at IS NULL ORDER BY kind LIMIT 1)
        UNION ALL
        SELECT (
            SELECT jobs.kind FROM jobs
            WHERE state = 'queued' AND dispatched_at IS NULL AND jobs.kind > waiting.kind
            ORDER BY jobs.kind LIMIT 1
        ) FROM waiting WHERE waiting.kind IS NOT NULL
    )
    SELECT kind FROM waiting WHERE kind IS NOT NULL
    """
)
# Both use an index in its own order, so the cost is that of the rows taken, however long the backlog. None has a
# condition on a list of kinds: the planner cannot see into an array, takes "kind <> ALL ($1)" for a condition that
# nearly no row meets, and would read and sort the whole table for it.
_MARK = """
    UPDATE jobs SET dispatched_at = now()
    WHERE id = ANY (ARRAY({next})) AND state = 'queued' AND dispatched_at IS NULL
    RETURNING id, kind, attempt, priority, run_at
"""
_MARK_ANY = text(
    _MARK.format(
        next="""
        SELECT id FROM jobs WHERE state = 'queued' AND dispatched_at IS NULL
        ORDER BY priority DESC, run_at, id LIMIT :limit FOR UPDATE SKIP LOCKED"""
    )
)
# BETWEEN rather than "=": the order then begins with the kind for the planner, too, and one index alone gives it.
_MARK_KINDS = text(
    _MARK.format(
        next="""
        SELECT locked.id FROM (
            SELECT next.id FROM unnest(CAST(:kinds AS text[])) AS wanted (kind), LATERAL (
                SELECT id, priority, run_at FROM jobs
                WHERE state = 'queued' AND dispatched_at IS NULL AND jobs.kind BETWEEN wanted.kind AND wanted.kind
                ORDER BY jobs.kind, priority DESC, run_at, id LIMIT :limit
            ) AS next
            ORDER BY priority DESC, run_at, id LIMIT :limit
        ) AS first JOIN jobs AS locked ON locked.id = first.id FOR UPDATE OF locked SKIP LOCKED"""
    )
)
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_IN_USE = text(
    """
    SELECT kind, count(*) AS in_use FROM jobs
    WHERE (state = 'running' OR (state = 'queued' AND dispatched_at IS NOT NULL))
      AND kind = ANY (CAST(:kinds AS text[]))
    GROUP BY kind
    """
)


def waiting_kinds(connection: Connection) -> list[str]:
    """The kinds of which at least one job waits to be dispatched."""
    return list(connection.execute(_WAITING_KINDS).scalars())


def mark_for_dispatch(
    connection: Connection, registry: Registry, *, window: int, queues: Mapping[str, str] = _ONE_QUEUE
) -> list[Dispatched]:
    """Marks the next jobs as dispatched, in order, up to the window. Commit, then publish them.

    `queues`: the kinds that have a queue of their own. Each queue has its own window, so that a backlog in one does not
    hold up another.
    """
    waiting = waiting_kinds(connection)
    rooms = _rooms(connection, window, queues) if waiting else {}
    if not rooms:
        return []
    limits = {kind.name: kind.concurrency_limit for kind in registry.all() if kind.concurrency_limit is not None}
    limited = [kind for kind in waiting if kind in limits and queues.get(kind) in rooms]
    rows: list[Row[Any]] = []
    for queue, room in rooms.items():
        kinds = [kind for kind in waiting if queues.get(kind) == queue and kind not in limits]
        if kinds == waiting:
            rows += _only(connection, kinds, connection.execute(_MARK_ANY, {"limit": room}).all())
        elif kinds:
            rows += connection.execute(_MARK_KINDS, {"kinds": kinds, "limit": room})
    # Limited kinds are counted and marked under a lock, by one dispatcher at a time, so that the limit is exact.
    if limited and connection.execute(_TRY_LOCK, {"lock": _LIMITED_LOCK}).scalar():
        in_use = {row.kind: row.in_use for row in connection.execute(_IN_USE, {"kinds": limited})}
        for kind in limited:
            free = limits[kind] - in_use.get(kind, 0)
            if free > 0:
                rows += connection.execute(_MARK_KINDS, {"kinds": [kind], "limit": free})
    rows.sort(key=lambda row: (-row.priority, row.run_at, row.id))
    return [Dispatched(row.id, row.kind, row.attempt, row.priority) for row in rows]


def _only(connection: Connection, kinds: Sequence[str], rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Those of the kinds. Jobs of another kind, which came since the kinds were asked for, wait for the next pass."""
    unmark(connection, [row.id for row in rows if row.kind not in kinds])
    return [row for row in rows if row.kind in kinds]


def _rooms(connection: Connection, window: int, queues: Mapping[str, str]) -> dict[str | None, int]:
    """How many more jobs each queue may be given, of those that may be given any. None is the queue of all others."""
    outstanding: Counter[str | None] = Counter()
    if queues:
        for row in connection.execute(_OUTSTANDING_BY_KIND):
            outstanding[queues.get(row.kind)] += row.jobs
    else:
        outstanding[None] = int(connection.execute(_OUTSTANDING).scalar_one())
    rooms = {queue: window - outstanding[queue] for queue in (None, *sorted(set(queues.values())))}
    return {queue: room for queue, room in rooms.items() if room > 0}


def more_waiting(connection: Connection, registry: Registry) -> bool:
    """Whether jobs wait for room in the window. Limited kinds do not count: they wait for one of their own to end."""
    limited = {kind.name for kind in registry.all() if kind.concurrency_limit is not None}
    return not limited.issuperset(waiting_kinds(connection))


# The last ones only, read along ix_jobs_finished. Retried jobs count from their first start: they look long, and are.
_USUAL_SECONDS = text(
    """
    SELECT kind, percentile_cont(0.5) WITHIN GROUP (ORDER BY EXTRACT(epoch FROM finished_at - started_at)) AS seconds
    FROM (
        SELECT kind, started_at, finished_at FROM jobs
        WHERE finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 500
    ) AS last
    WHERE started_at IS NOT NULL
    GROUP BY kind
    """
)


def usual_seconds(connection: Connection) -> dict[str, float]:
    """What the jobs that ended last took, as a median by kind; kinds that did not run lately are missing."""
    return {row.kind: row.seconds for row in connection.execute(_USUAL_SECONDS)}


_UNMARK = text(
    """
    UPDATE jobs SET dispatched_at = NULL
    WHERE id = ANY (CAST(:ids AS uuid[])) AND state = 'queued'
      AND dispatched_at <= now() - make_interval(secs => :older_than)
    """
)


def unmark(connection: Connection, ids: Sequence[uuid.UUID], *, older_than_seconds: float = 0.0) -> int:
    """Takes marks back, after a publish that failed for sure or jobs that the broker lost; returns how many.

    `older_than_seconds` leaves alone what another dispatcher has marked anew in the meantime.
    """
    if not ids:
        return 0
    return connection.execute(_UNMARK, {"ids": list(ids), "older_than": older_than_seconds}).rowcount


_UNMARK_BEFORE = text("UPDATE jobs SET dispatched_at = NULL WHERE state = 'queued' AND dispatched_at < :moment")


def unmark_before(connection: Connection, moment: datetime) -> int:
    """Takes back every mark older than that: the broker was wiped then. Returns how many."""
    return connection.execute(_UNMARK_BEFORE, {"moment": moment}).rowcount


_FIND_LOST = text(
    """
    SELECT id FROM jobs
    WHERE state = 'queued' AND dispatched_at IS NOT NULL AND dispatched_at < now() - make_interval(secs => :older_than)
    ORDER BY dispatched_at LIMIT :limit
    """
)


def find_lost(connection: Connection, *, older_than_seconds: float, limit: int) -> list[uuid.UUID]:
    """Jobs that were handed to the broker that long ago and that nobody claimed."""
    return list(connection.execute(_FIND_LOST, {"older_than": older_than_seconds, "limit": limit}).scalars())


_RESCUE = text(
    """
    WITH expired AS (
        SELECT id, lease_expires_at AS ended FROM jobs
        WHERE state = 'running' AND lease_expires_at < now()
        ORDER BY lease_expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), rescued AS (
        UPDATE jobs SET
            state = CASE
                WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                WHEN attempt - returned >= max_attempts THEN 'dead'
                ELSE 'queued'
            END,
            finished_at = CASE
                WHEN cancel_requested_at IS NOT NULL OR attempt - returned >= max_attempts THEN now()
            END,
            error = jsonb_build_object(
                'type', 'LeaseExpired', 'permanent', false,
                'message', 'The worker ' || coalesce(worker, '?') || ' stopped renewing its lease.'),
            dispatched_at = NULL, lease_expires_at = NULL
        FROM expired WHERE jobs.id = expired.id
        RETURNING jobs.id, jobs.account_id, jobs.kind, jobs.attempt, jobs.worker, jobs.state, jobs.error, jobs.context,
                  expired.ended
    ), history AS (
        INSERT INTO job_attempts (job_id, attempt, outcome, worker, error)
        SELECT id, attempt, 'lost', worker, error FROM rescued
    )
    SELECT id, account_id, kind, attempt, state, error, context,
           EXTRACT(epoch FROM now() - ended)::float8 AS late_seconds
    FROM rescued
    """
)


@dataclass(frozen=True, slots=True)
class Rescued:
    """A job taken back from a worker that fell silent, and what became of it."""

    job_id: uuid.UUID
    account_id: uuid.UUID
    kind: str
    attempt: int
    state: JobState
    error: dict[str, Any]
    context: dict[str, str]
    late_seconds: float


def rescue_expired(connection: Connection, *, limit: int) -> list[Rescued]:
    """Ends the attempts whose lease ran out: queued again, or dead when no attempt is left."""
    return [
        Rescued(
            job_id=row.id,
            account_id=row.account_id,
            kind=row.kind,
            attempt=row.attempt,
            state=JobState(row.state),
            error=row.error,
            context=row.context,
            late_seconds=row.late_seconds,
        )
        for row in connection.execute(_RESCUE, {"limit": limit})
    ]


# Each part names its index's order: by its estimates the planner may prefer to read the table, finished jobs and all.
_MEASURE = text(
    """
    SELECT
        waiting.count AS waiting, waiting.age AS waiting_age,
        dispatched.count AS dispatched, dispatched.age AS dispatched_age,
        (SELECT count(*) FROM jobs WHERE state = 'running') AS running,
        (SELECT count(*) FROM
            (SELECT 1 FROM jobs WHERE state = 'scheduled' ORDER BY run_at LIMIT 100000) s) AS scheduled,
        (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'dead' ORDER BY id LIMIT 100000) d) AS dead
    FROM (
        SELECT count(*) AS count, EXTRACT(epoch FROM now() - min(run_at))::float8 AS age FROM (
            SELECT run_at FROM jobs WHERE state = 'queued' AND dispatched_at IS NULL
            ORDER BY priority DESC, run_at, id LIMIT 100000) AS w
    ) AS waiting, (
        SELECT count(*) AS count, EXTRACT(epoch FROM now() - min(run_at))::float8 AS age FROM jobs
        WHERE state = 'queued' AND dispatched_at IS NOT NULL
    ) AS dispatched
    """
)


@dataclass(frozen=True, slots=True)
class QueueMeasure:
    """The queue in numbers (counts stop at 100,000, so that measuring stays cheap)."""

    waiting: int
    dispatched: int
    running: int
    scheduled: int
    dead: int
    oldest_age_seconds: float


def measure(connection: Connection) -> QueueMeasure:
    """Counts jobs by where they are, and the age of the oldest that is due."""
    row = connection.execute(_MEASURE).one()
    oldest = max(row.dispatched_age or 0.0, row.waiting_age or 0.0, 0.0)
    return QueueMeasure(row.waiting, row.dispatched, row.running, row.scheduled, row.dead, oldest)
