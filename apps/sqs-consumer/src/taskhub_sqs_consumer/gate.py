"""The gate before receiving: closed while PostgreSQL or Elasticsearch is away, so that no message is received in vain.

Everything pauses while either is away. The messages are durable in SQS, a receive that comes to nothing counts
against a message, and one rule for both keeps "deleted" meaning "recorded and indexed".
"""

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from taskhub_core.telemetry import metrics

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS = 0.5
_LAST_PAUSE_SECONDS = 5.0
_STEADY_SECONDS = 30.0
"""A gate that was open for less than this goes on with the longer pauses: something flaps."""

type Probe = Callable[[], None]
"""Raises when the dependency cannot be worked with."""


class Gate:
    """Begins closed: the dependencies are looked at before the first message is received."""

    def __init__(self, probes: Mapping[str, Probe], *, queue_name: str, stopping: threading.Event) -> None:
        self._probes = probes
        self._paused = metrics.CONSUMER_PAUSED.labels(queue=queue_name)
        self._stopping = stopping
        self._open = threading.Event()
        self._closed = threading.Event()
        self._pause = _FIRST_PAUSE_SECONDS
        self._opened_at = float("-inf")
        self._away: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="gate", daemon=True)
        self._close()

    def start(self) -> None:
        """Begins to probe."""
        self._thread.start()

    def wait_open(self, timeout_seconds: float) -> bool:
        """Waits for the gate to open, at most so long; returns whether it is open."""
        return self._open.wait(timeout_seconds)

    def report_away(self, dependency: str, error: Exception) -> None:
        """Closes the gate, until every probe succeeds."""
        if self._open.is_set():
            _log.warning("receiving is paused", dependency=dependency, error=str(error))
        metrics.DEPENDENCY_UP.labels(dependency=dependency).set(0)
        self._close()

    def stop(self) -> None:
        """Ends the probing. Set `stopping` before."""
        self._closed.set()
        self._thread.join(timeout=1.0)

    def _close(self) -> None:
        self._open.clear()
        self._paused.set(1)
        self._closed.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._closed.wait()
            if time.monotonic() - self._opened_at >= _STEADY_SECONDS:
                self._pause = _FIRST_PAUSE_SECONDS
            while not self._stopping.is_set() and not self._all_well():
                self._stopping.wait(self._pause)
                self._pause = min(self._pause * 2, _LAST_PAUSE_SECONDS)
            if self._stopping.is_set():
                return
            self._closed.clear()
            self._opened_at = time.monotonic()
            self._paused.set(0)
            self._open.set()
            _log.info("receiving")

    def _all_well(self) -> bool:
        # Every probe runs each time: the metric tells the truth about all of them.
        well = [self._is_well(dependency, probe) for dependency, probe in self._probes.items()]
        return all(well)

    def _is_well(self, dependency: str, probe: Probe) -> bool:
        try:
            probe()
        except Exception as error:
            if dependency not in self._away:
                _log.warning("a dependency is away", dependency=dependency, error=str(error))
            self._away.add(dependency)
            metrics.DEPENDENCY_UP.labels(dependency=dependency).set(0)
            return False
        self._away.discard(dependency)
        metrics.DEPENDENCY_UP.labels(dependency=dependency).set(1)
        return True
