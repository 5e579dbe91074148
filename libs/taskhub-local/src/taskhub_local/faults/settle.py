"""Waits until the platform has done everything that it accepted, and says what is left if it does not."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import psycopg

from taskhub_local.faults.judge_views import ANNOUNCED_KINDS, judge_index
from taskhub_local.faults.observe import Eyes
from taskhub_local.faults.observed import Observed

_POLL_SECONDS = 0.25

_LEFT = """
    SELECT
        (SELECT count(*) FROM jobs WHERE account_id = %(account)s
         AND state NOT IN ('succeeded', 'dead', 'cancelled')) AS jobs,
        (SELECT count(*) FROM outbox) AS outbox,
        (SELECT coalesce(sum(version), 0) FROM tasks WHERE account_id = %(account)s)
        + (SELECT count(*) FROM jobs WHERE account_id = %(account)s AND kind = ANY (%(announced)s))
        - (SELECT count(*) FROM activity WHERE account_id = %(account)s) AS events
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """How it ended."""

    seconds: float
    left: str
    """What was still to be done; empty when nothing was."""
    observed: Observed


def settle(eyes: Eyes, *, deadline_seconds: float, say: Callable[[str], None] = lambda _: None) -> Settled:
    """Wait until jobs have ended, the outbox is empty, the feed is complete and the index is equal.

    Raises the last error if PostgreSQL or Elasticsearch cannot be read at the deadline.
    """
    began = time.monotonic()
    while True:
        overdue = time.monotonic() - began > deadline_seconds
        try:
            left = _left(eyes)
            observed = eyes.look() if not left or overdue else None
        except (psycopg.Error, httpx.HTTPError):
            if overdue:
                raise
            left, observed = "PostgreSQL or Elasticsearch does not answer", None
        if observed is not None:
            stale = sum(1 for _ in judge_index(observed))
            left = left or (f"{stale} documents of the index differ" if stale else "")
            if not left or overdue:
                return Settled(time.monotonic() - began, left, observed)
        say(left)
        time.sleep(_POLL_SECONDS)


def _left(eyes: Eyes) -> str:
    with eyes.session() as session:
        row = session.execute(_LEFT, {"account": eyes.account_id, "announced": list(ANNOUNCED_KINDS)}).fetchone()
    jobs, outbox, events = row or (0, 0, 0)
    events -= sum(eyes.on_their_way.values())
    parts = {"jobs have not ended": jobs, "events are in the outbox": outbox, "events are not in the feed": events}
    return ", ".join(f"{count} {name}" for name, count in parts.items() if count)
