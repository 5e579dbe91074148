"""Looks at what the platform holds: PostgreSQL, the index, the mail sink and the webhook receiver."""

import uuid
from collections.abc import Iterator, Mapping, Set
from typing import Any

import httpx
import psycopg
from psycopg.rows import class_row

from taskhub_core.settings import SearchSettings
from taskhub_local.faults.observed import (
    ActivityRow,
    EffectRow,
    IndexedTask,
    JobRow,
    Observed,
    TaskRow,
)
from taskhub_local.faults.plain import NO_TLS
from taskhub_local.faults.reach import Hooks, Reach

_PAGE = 5_000
_TASKS = "SELECT id, title, notes, version, deleted_at IS NOT NULL AS deleted FROM tasks WHERE account_id = %s"
_JOBS = """
    SELECT id, kind, state, attempt, coalesce((result ->> 'sent')::boolean, false) AS sent_mail,
           coalesce(args ->> 'task_id', args -> 'event' ->> 'event_id')::uuid AS about
    FROM jobs WHERE account_id = %s
"""
# Effects of jobs that are not there at all must show, too.
_EFFECTS = """
    SELECT job_id, step FROM fault_effects LEFT JOIN jobs ON jobs.id = job_id
    WHERE jobs.account_id = %s OR jobs.id IS NULL
"""
_ACTIVITY = "SELECT event_id, type, subject_id FROM activity WHERE account_id = %s"
_VERSIONS = "SELECT id, version, deleted_at IS NOT NULL AS deleted FROM tasks"


class Eyes:
    """Sees everything of one account."""

    def __init__(self, target: Reach, account_id: uuid.UUID, email: str, receiver: Hooks) -> None:
        self.target = target
        self.account_id = account_id
        self._email = email
        self._receiver = receiver
        self.on_their_way: Mapping[uuid.UUID, int] = {}
        """Events that a restore lost: see Observed."""
        self.undone: Set[uuid.UUID] = frozenset()
        """Jobs whose mails and deliveries arrived in a time that was undone: not looked at unless the job is there."""
        self._alias = SearchSettings.model_fields["search_alias"].default

    def look(self) -> Observed:
        """Return what there is now. Raises psycopg.Error and httpx.HTTPError when a part is away."""
        account = [self.account_id]
        with self.session() as session:
            session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            versions = {row[0]: IndexedTask(row[1], row[2]) for row in session.execute(_VERSIONS)}
            jobs = tuple(session.cursor(row_factory=class_row(JobRow)).execute(_JOBS, account))
            undone = self.undone - {row.id for row in jobs}
            return Observed(
                tasks=tuple(session.cursor(row_factory=class_row(TaskRow)).execute(_TASKS, account)),
                jobs=jobs,
                effects=self._effects(session),
                activity=tuple(session.cursor(row_factory=class_row(ActivityRow)).execute(_ACTIVITY, account)),
                mails=tuple(job for job in self.target.mails(self._email) if job not in undone),
                deliveries=tuple(one for one in self._receiver.deliveries if one.delivery_id not in undone),
                versions=versions,
                index=self.index(),
                on_their_way=self.on_their_way,
            )

    def arrived(self) -> set[uuid.UUID]:
        """Return the jobs whose mails and deliveries have arrived so far."""
        return {*self.target.mails(self._email), *(one.delivery_id for one in self._receiver.deliveries)}

    def session(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Open a session of our own, beside whatever the apps use."""
        return psycopg.connect(self.target.database_url, connect_timeout=5, options="-c statement_timeout=30s")

    def index(self) -> dict[uuid.UUID, IndexedTask] | None:
        """Return every document of the index; an alias that is missing has none. None without Elasticsearch."""
        url = self.target.elasticsearch_url
        if url is None:
            return None
        with httpx.Client(base_url=url, timeout=30, trust_env=False, verify=NO_TLS) as client:
            if client.post(f"/{self._alias}/_refresh").status_code == httpx.codes.NOT_FOUND:
                return {}
            return {
                uuid.UUID(hit["_id"]): IndexedTask(hit["_source"]["version"], hit["_source"]["deleted"])
                for hit in self._documents(client)
            }

    def _documents(self, client: httpx.Client) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {"size": _PAGE, "sort": ["id"], "_source": ["version", "deleted"]}
        while True:
            answer = client.post(f"/{self._alias}/_search", json=query).raise_for_status().json()
            hits = answer["hits"]["hits"]
            yield from hits
            if len(hits) < _PAGE:
                return
            query["search_after"] = hits[-1]["sort"]

    def _effects(self, session: psycopg.Connection[tuple[Any, ...]]) -> tuple[EffectRow, ...]:
        (table,) = session.execute("SELECT to_regclass('fault_effects')").fetchone() or (None,)
        if table is None:
            return ()
        return tuple(session.cursor(row_factory=class_row(EffectRow)).execute(_EFFECTS, [self.account_id]))
