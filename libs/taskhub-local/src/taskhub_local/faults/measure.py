"""Measures beside the ledger: how promptly jobs and events went through, by the database's own times, and metrics."""

import math
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import httpx

from taskhub_local.faults import plain
from taskhub_local.faults.client import Call
from taskhub_local.faults.judge_jobs import EFFECT_KIND, IMPORT_KIND
from taskhub_local.faults.observe import Eyes
from taskhub_local.faults.recovery import Probe, percentile

_LEAST_PROMPT_SECONDS = 1.0
_MOST_PROMPT_SECONDS = 5.0
_JOBS = """
    SELECT EXTRACT(epoch FROM created_at)::float8, EXTRACT(epoch FROM coalesce(finished_at, clock_timestamp()))::float8,
           finished_at IS NOT NULL
    FROM jobs WHERE account_id = %s AND kind = ANY (%s)
"""
_EVENTS = """
    SELECT EXTRACT(epoch FROM occurred_at)::float8, EXTRACT(epoch FROM received_at)::float8, true
    FROM activity WHERE account_id = %s AND type LIKE 'task.%%'
"""
_SAMPLE = re.compile(r"^(?P<name>[a-z_:]+)(?:\{[^}]*\})? (?P<value>[0-9.eE+-]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Way:
    """One way through the platform: when each thing began and came out, or has not yet."""

    began: float
    ended: float
    out: bool


def job_ways(eyes: Eyes, *, kinds: bool) -> list[Way]:
    """Return the way of each short job, from its submission to its committed end."""
    return _ways(eyes, _JOBS, [eyes.account_id, [EFFECT_KIND if kinds else IMPORT_KIND]])


def event_ways(eyes: Eyes) -> list[Way]:
    """Return the way of each task event that has arrived, from the change to the feed."""
    return _ways(eyes, _EVENTS, [eyes.account_id])


def _ways(eyes: Eyes, query: str, parameters: Sequence[uuid.UUID | list[str]]) -> list[Way]:
    with eyes.session() as session:
        return [Way(*row) for row in session.execute(query, parameters)]


def promptness(ways: Iterable[Way]) -> float:
    """Return how long is still prompt, judged by undisturbed ways: three times their 95th percentile, 1 s to 5 s."""
    seconds = [way.ended - way.began for way in ways if way.out]
    usual = percentile(seconds, 0.95) if seconds else 0.0
    return min(max(_LEAST_PROMPT_SECONDS, 3 * usual), _MOST_PROMPT_SECONDS)


def late_seconds(ways: Iterable[Way], since: float, *, prompt_seconds: float) -> float:
    """Return how long after `since` the last way came out that was not prompt; infinite if one has not come out."""
    late = [way for way in ways if way.ended > since and way.ended - way.began > prompt_seconds]
    if not all(way.out for way in late):
        return math.inf
    return max((way.ended - since for way in late), default=0.0)


def what_was_heard(calls: Iterable[Call], since: float, *, most: int = 10) -> str:
    """Return what clients heard after `since` instead of success, and when; of more than `most`, the last ones."""
    failed = sorted(
        (call for call in calls if not call.probe.ok and call.probe.ended > since), key=lambda call: call.probe.ended
    )
    told = [
        f"{call.answer.detail or call.answer.status} {call.probe.ended - since:.2f} s after that,"
        f" sent {call.probe.seconds:.2f} s before"
        for call in failed[-most:]
    ]
    earlier = [f"{len(failed) - most} earlier ones"] if len(failed) > most else []
    return "; ".join([*earlier, *told])


def as_probes(ways: Iterable[Way], *, prompt_seconds: float) -> list[Probe]:
    """Turn ways into probes: one that took longer than is prompt failed, and one that is not out by then, too."""
    return [
        Probe(way.began, way.ended, way.out and way.ended - way.began <= prompt_seconds)
        for way in ways
        if way.out or way.ended - way.began > prompt_seconds
    ]


def counter(pages: Mapping[str, str], name: str) -> float:
    """Return the sum of a counter over all its labels and all those metrics pages. Away pages count nothing."""
    total = 0.0
    for url in pages.values():
        try:
            text = plain.get(url, timeout_seconds=2).text
        except httpx.HTTPError:
            continue
        total += sum(float(sample["value"]) for sample in _SAMPLE.finditer(text) if sample["name"] == name)
    return total
