"""How fast the driver's machine was: the same figures come out worse on a slower one, and nobody could tell why."""

import time
from dataclasses import dataclass
from pathlib import Path

_STEPS = 5_000_000
_TRIES = 3
_PRESSURE = Path("/proc/pressure/cpu")

EXPLANATION = (
    f"machine: the processor time of {_STEPS:,} additions in Python just before the case, and for which share of the"
    " case something waited for a processor."
)


@dataclass(frozen=True, slots=True)
class Machine:
    """What one case had of its machine."""

    work_seconds: float
    """Processor time that a fixed calculation took just before it."""
    waiting_share: float | None
    """The share of its time in which something waited for a processor, 0 to 1. None: this kernel does not say.

    Source: "some" of Linux's pressure stall information, https://docs.kernel.org/accounting/psi.html
    """


def work_seconds() -> float:
    """Return the processor time of a fixed calculation, the best of three tries: half as fast takes twice as long."""
    return min(_try() for _ in range(_TRIES))


def _try() -> float:
    began = time.thread_time()
    total = 0
    for number in range(_STEPS):
        total += number
    return time.thread_time() - began


class Waiting:
    """Counts from its making on for how long something waited for a processor."""

    def __init__(self, pressure: Path = _PRESSURE) -> None:
        self._pressure = pressure
        self._began = time.monotonic()
        self._waited = self._read()

    def share(self) -> float | None:
        """Return the share of the time until now. None: this kernel does not say."""
        waited = self._read()
        if waited is None or self._waited is None:
            return None
        return (waited - self._waited) / max(time.monotonic() - self._began, 1e-9)

    def _read(self) -> float | None:
        try:
            some = self._pressure.read_text().splitlines()[0]
        except (OSError, IndexError):
            return None
        return int(some.rpartition("total=")[2]) / 1e6


def in_words(machine: Machine | None) -> str:
    """Return both figures as the report shows them."""
    if machine is None:
        return "not measured"
    waiting = "" if machine.waiting_share is None else f", {machine.waiting_share:.0%}"
    return f"{machine.work_seconds:.2f} s{waiting}"
