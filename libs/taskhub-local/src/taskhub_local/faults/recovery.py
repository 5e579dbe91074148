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


def recovery_seconds(probes: Iterable[Probe], since: float, until: float = math.inf) -> float:
    """Return the time from `since` to the end of the first probe after which all succeed; 0 if none failed.

    A probe that failed after `since` counts wherever it began. When the last probe failed there was no recovery: the
    answer is infinite. Probes that began after `until` do not count (the next fault).
    """
    felt = sorted((probe for probe in probes if probe.ended > since and probe.began < until), key=lambda p: p.ended)
    failures = [number for number, probe in enumerate(felt) if not probe.ok]
    if not failures:
        return 0.0
    after = felt[failures[-1] + 1 :]
    return after[0].ended - since if after else math.inf


def longest_gap(probes: Iterable[Probe]) -> float:
    """Return the longest time between the ends of two successes that follow each other; 0 with fewer than two."""
    ends = sorted(probe.ended for probe in probes if probe.ok)
    return max((later - earlier for earlier, later in pairwise(ends)), default=0.0)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of the values do not exceed (nearest rank). Raises ValueError for none."""
    if not values:
        raise ValueError("no values, no percentile")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
