"""What watches the kind cluster, as the tests ask it: both Prometheus, and the receiver of pages."""

import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import httpx

from taskhub_local.faults import plain

PROMETHEUS = ("http://127.0.0.1:19090", "http://127.0.0.1:19091")
"""Either pages. One may be away, or have begun anew without what it knew."""
RECEIVER = "http://127.0.0.1:18027"
# Without what reaches nobody, without the fill of the disk that carries this machine's kind (its volumes are folders
# there), and without what looks back for half an hour and more: it fires for what was broken long before.
_FIRING = 'ALERTS{alertstate="firing", severity!="none", alertname!~".*BurnsSlow|ElasticsearchDiskNearlyFull"}'
_FIRING_FOR_NOW = _FIRING.replace("BurnsSlow", "Burns(Fast|Slow)")
# What was broken before may fire for so long; of the rules that are left, none looks back further.
_LONGEST_WINDOW_SECONDS = 900.0
_STEP_SECONDS = 15
_HALF_A_STEP = 7.5
_POLL_SECONDS = 2.0
# The kubelet takes a minute or two to bring a volume's new content to a pod.
_RULES_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert of one notification that the receiver got."""

    alert: str
    resolved: bool
    received_at: float
    """Unix seconds."""
    runbook_url: str


@dataclass(frozen=True, slots=True)
class Watchdog:
    """The dead-man's switch."""

    silent_seconds: float
    alarming: bool


def firing() -> set[str]:
    """Return the alerts that fire for what is broken now: without burnt budgets. Raises httpx.HTTPError."""
    return _names(_ask("query", query=_FIRING_FOR_NOW))


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that fired, and when: seconds since the moment that was asked for, 15 s apart."""

    alert: str
    first: float
    last: float


def fired(since: float, until: float) -> list[Fired]:
    """Return the alerts that began to fire between two moments, in Unix seconds. Raises httpx.HTTPError."""
    series = _ask("query_range", query=_FIRING, start=f"{since}", end=f"{until}", step=f"{_STEP_SECONDS}")
    times: dict[str, list[float]] = {}
    for one in series:
        times.setdefault(one["metric"]["alertname"], []).extend(float(at) - since for at, _ in one["values"])
    spans = [Fired(alert, min(seen), max(seen)) for alert, seen in sorted(times.items())]
    return [span for span in spans if span.first > _HALF_A_STEP]  # the first step is the moment `since` itself


def is_there() -> bool:
    """Whether anything watches the cluster."""
    try:
        firing()
    except httpx.HTTPError:
        return False
    return True


def notices(kind: str, since: float) -> list[Notice]:
    """Return the notices of a kind ("pages" or "tickets") that came after a moment. Raises httpx.HTTPError."""
    received = plain.get(f"{RECEIVER}/{kind}", timeout_seconds=10).raise_for_status().json()["alerts"]
    found = [
        Notice(
            one["alertname"],
            one["status"] == "resolved",
            datetime.fromisoformat(one["received_at"]).timestamp(),
            one["annotations"].get("runbook_url", ""),
        )
        for one in received
    ]
    return [notice for notice in found if notice.received_at > since]


def watchdog() -> Watchdog:
    """Return how the dead-man's switch stands. Raises httpx.HTTPError."""
    return Watchdog(**plain.get(f"{RECEIVER}/watchdog", timeout_seconds=10).raise_for_status().json())


def until[T](look: Callable[[], T | None], *, seconds: float, what: str) -> T:
    """Look until something true is seen, and return it. Raises AssertionError, with what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            seen, problem = look(), ""
        except (httpx.HTTPError, OSError) as error:
            seen, problem = None, f" ({error!r})"
        if seen:
            return seen
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain until {what}{problem}"
        time.sleep(_POLL_SECONDS)


def until_quiet() -> None:
    """Wait until no alert fires for what is broken now. Raises AssertionError naming those that do."""
    last: set[str] = set()

    def quiet() -> bool:
        last.clear()
        last.update(firing())
        return not last

    try:
        until(quiet, seconds=_LONGEST_WINDOW_SECONDS, what="no alert fires")
    except AssertionError as error:
        raise AssertionError(f"{error}; firing: {', '.join(sorted(last))}") from error


def until_known(alerts: Set[str]) -> None:
    """Wait until each Prometheus has the rules of these alerts: a new one begins without. Raises AssertionError."""
    for address in PROMETHEUS:
        until(
            partial(_knows, address, alerts),
            seconds=_RULES_SECONDS,
            what=f"{address} has every rule of the cluster's {len(alerts)} alerts",
        )


def _knows(address: str, alerts: Set[str]) -> bool:
    answer = plain.get(f"{address}/api/v1/rules", timeout_seconds=10).raise_for_status().json()
    return alerts <= {rule["name"] for group in answer["data"]["groups"] for rule in group["rules"]}


def _ask(path: str, **parameters: str) -> Sequence[dict[str, Any]]:
    """Return what those that answer know. Raises httpx.HTTPError if none does."""
    found: list[dict[str, Any]] = []
    errors: list[httpx.HTTPError] = []
    for address in PROMETHEUS:
        try:
            answer = plain.get(f"{address}/api/v1/{path}", params=parameters, timeout_seconds=10).raise_for_status()
            found += answer.json()["data"]["result"]
        except httpx.HTTPError as error:
            errors.append(error)
    if len(errors) == len(PROMETHEUS):
        raise errors[0]
    return found


def _names(series: Sequence[dict[str, Any]]) -> set[str]:
    return {one["metric"]["alertname"] for one in series}
