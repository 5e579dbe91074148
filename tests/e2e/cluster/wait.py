"""Waits for a condition by looking again and again, until a deadline."""

import time
from collections.abc import Callable

from tests.e2e.cluster.shell import ClusterError


def until(condition: Callable[[], bool], what: str, *, seconds: float, every: float = 1.0) -> None:
    """Return once `condition` holds. Raises ClusterError, which names `what`, if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)
