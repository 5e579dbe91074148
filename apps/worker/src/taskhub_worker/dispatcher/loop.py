"""A loop of the dispatcher: a thread that takes turns, survives every failure, and leaves a stamp each time round."""

import threading
import time
from abc import ABC, abstractmethod
from typing import ClassVar

import structlog

from taskhub_core.database.failures import Failure, classify
from taskhub_core.database.unit_of_work import Backoff
from taskhub_core.telemetry import metrics
from taskhub_core.telemetry.health import ProgressStamp

log = structlog.get_logger(__name__)

_STUCK_AFTER_SECONDS = 90.0
"""More than the slowest turn: its database limit, its network timeouts and the longest pause, together."""
_REPEAT_LOG_SECONDS = 30.0


class DependencyAway(Exception):
    """Something that the turn needs does not answer. Nothing is wrong here: try again."""


class Loop(ABC):
    """Runs `turn` again and again until stopped."""

    name: ClassVar[str]
    pause_at_least_seconds: ClassVar[float] = 0.0

    def __init__(self) -> None:
        self.stamp = ProgressStamp(self.name, max_age_seconds=_STUCK_AFTER_SECONDS)
        self.stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"loop-{self.name}", daemon=True)
        self._backoff = Backoff(base_seconds=0.2, cap_seconds=3.0)
        self._failures = 0
        self._logged = 0.0

    @abstractmethod
    def turn(self) -> float:
        """Does what there is to do now. Returns how many seconds to wait before the next turn."""

    def close(self) -> None:  # noqa: B027 - most loops hold nothing of their own
        """Lets go of what the loop holds, after its last turn."""

    def start(self) -> None:
        """Begins to take turns."""
        self.stamp.touch()
        self._thread.start()

    def wake(self) -> None:
        """Ends the present wait."""
        self._wake.set()

    def stop(self) -> None:
        """The present turn is the last one. Returns at once; `join` waits."""
        self.stopping.set()
        self._wake.set()

    def join(self, timeout_seconds: float) -> bool:
        """Waits for the last turn; False if it did not end in time."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self.stopping.is_set():
            self._wake.clear()
            pause = self._timed_turn()
            self.stamp.touch()
            self.stopping.wait(self.pause_at_least_seconds)
            self._wake.wait(pause)
        self.close()

    def _timed_turn(self) -> float:
        started = time.monotonic()
        try:
            pause = self.turn()
        except Exception as error:
            return self._failed(error)
        metrics.DISPATCHER_PASS_SECONDS.labels(loop=self.name).observe(time.monotonic() - started)
        if self._failures:
            log.info("the loop works again", loop=self.name, failures=self._failures)
            self._failures, self._logged = 0, 0.0
        return pause

    def _failed(self, error: Exception) -> float:
        self._failures += 1
        now = time.monotonic()
        if now - self._logged >= _REPEAT_LOG_SECONDS or not self._logged:
            self._logged = now
            expected = isinstance(error, DependencyAway) or classify(error) is not Failure.OTHER
            log.warning(
                "the loop cannot do its work", loop=self.name, error=repr(error)[:500], failures=self._failures,
                exc_info=None if expected else error,
            )  # fmt: skip
        return self._backoff.delay(self._failures) + 0.05
