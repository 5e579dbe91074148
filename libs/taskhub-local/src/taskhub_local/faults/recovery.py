"""How long a fault was felt: pure functions over what a steady stream of probes saw."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Probe:
    """One try of something that should always work. Times are Unix seconds, so that the database's can be compared."""

    began: float
    ended: float
    ok: bool

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


def recovery_seconds(probes: Iterable[Probe], since: float, *, tolerated: float = 0.0) -> float:
    """Return the time from `since` to the end of the first success after which success stays; 0 if none failed.

    A probe that failed after `since` counts wherever it began. `tolerated` is the share of failures among what follows
    that still counts as staying. When success did not come back, the answer is infinite.
    """
    felt = sorted((probe for probe in probes if probe.ended > since), key=lambda probe: probe.ended)
    if sum(not probe.ok for probe in felt) <= tolerated * len(felt):
        return 0.0
    failures, recovered_at = 0, math.inf
    for following, probe in enumerate(reversed(felt), start=1):
        failures += not probe.ok
        if probe.ok and failures <= tolerated * following:
            recovered_at = probe.ended
    return recovered_at - since


def longest_gap(probes: Iterable[Probe]) -> float:
    """Return the longest time between the ends of two successes that follow each other; 0 with fewer than two."""
    ends = sorted(probe.ended for probe in probes if probe.ok)
    return max((later - earlier for earlier, later in pairwise(ends)), default=0.0)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of the values do not exceed (nearest rank). Raises ValueError for none."""
    if not values:
        raise ValueError("no values, no percentile")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
