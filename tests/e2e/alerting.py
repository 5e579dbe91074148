"""The alerts of a case, where something watches the cluster: what fired, and whether failure-modes.yaml allows it."""

import time
from collections.abc import Iterable
from dataclasses import replace

from tools.matrix.expect import expectation
from tools.matrix.model import load

from tests.e2e import watch
from tests.e2e.outcome import Outcome

_LONGEST_WINDOW_SECONDS = 900.0
"""How far the rules look back, slow burns apart: so long an alert may be for an earlier case."""

_earlier: list[tuple[float, frozenset[str]]] = []
"""When the cases of this run ended (Unix seconds), and the alerts that each may cause."""


def with_alerts(outcome: Outcome, began_at: float) -> Outcome:
    """Return the outcome with its alerts; a false one is a failure. Raises httpx.HTTPError if Prometheus is away.

    Most cases are over before a rule has waited long enough. That the right alert comes is what `make alarms` proves.
    """
    if not watch.is_there():
        return outcome
    allowed = frozenset(expectation(load(), outcome.case).allowed)
    now = time.time()
    fired = watch.fired(began_at, now)
    false = [
        f"{one.alert} fired {one.first:.0f} s after the fault; failure-modes.yaml does not allow it"
        for one in false_alerts(fired, allowed, _earlier, began_at)
    ]
    _earlier.append((now, allowed))
    spans = tuple(f"{one.alert} {one.first:.0f} to {one.last:.0f} s" for one in fired)
    return replace(outcome, alerts=spans, failures=(*outcome.failures, *false))


def false_alerts(
    fired: Iterable[watch.Fired],
    allowed: frozenset[str],
    earlier: Iterable[tuple[float, frozenset[str]]],
    began_at: float,
) -> list[watch.Fired]:
    """Return the alerts that neither this case nor one shortly before it may cause. Times are Unix seconds."""
    still = [alerts for ended_at, alerts in earlier if ended_at > began_at - _LONGEST_WINDOW_SECONDS]
    return [one for one in fired if one.alert not in allowed.union(*still)]
