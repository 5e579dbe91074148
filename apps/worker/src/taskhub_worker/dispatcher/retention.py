"""What is deleted when: old rows, a few at a time, oldest first."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, text

from taskhub_core.database import idempotency
from taskhub_worker.dispatcher.settings import DispatcherSettings

_DELETE = """
    DELETE FROM {table} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {table} WHERE {condition} ORDER BY {order} LIMIT :limit FOR UPDATE SKIP LOCKED))
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of row that does not stay for ever."""

    table: str
    purge: Callable[[Connection, int], int]
    """Deletes up to that many rows and returns how many."""


def rules(settings: DispatcherSettings) -> list[Rule]:
    """Every rule, with the times that are set."""
    return [
        # Attempts and import reports go with their job (ON DELETE CASCADE).
        _older_than("jobs", "finished_at", settings.keep_finished_jobs_days, "state IN ('succeeded', 'cancelled')"),
        _older_than("jobs", "finished_at", settings.keep_dead_jobs_days, "state = 'dead'"),
        Rule("idempotency_keys", lambda connection, limit: idempotency.purge(connection, limit=limit)),
        _older_than("files", "expires_at", 0.0),
        _older_than("refresh_tokens", "expires_at", settings.keep_refresh_tokens_days),
        _older_than("refresh_tokens", "revoked_at", settings.keep_refresh_tokens_days),
        _older_than("tasks", "deleted_at", settings.keep_tombstones_days),
        _older_than("activity", "received_at", settings.keep_activity_days),
    ]


def _older_than(table: str, column: str, days: float, further: str = "true") -> Rule:
    condition = f"{column} < now() - make_interval(secs => :seconds) AND {further}"
    statement = text(_DELETE.format(table=table, condition=condition, order=column))
    seconds = days * 86_400.0
    return Rule(
        table, lambda connection, limit: connection.execute(statement, {"seconds": seconds, "limit": limit}).rowcount
    )
