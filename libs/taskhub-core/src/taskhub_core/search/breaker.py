"""The circuit breaker: after some failures in a row nobody asks any more, until a probe of its own succeeds.

Why not a library: purgatory and aiobreaker close again by letting a client's request try. Here that client would wait
out the timeout, on every try, for as long as the other side is frozen. So the service probes in the background, and
this class is only the state: closed, open, half open while a probe is under way (Nygard, "Release It!", 2007).
"""

import enum

from taskhub_core.telemetry import metrics


class BreakerState(enum.IntEnum):
    """The values are those of the metric taskhub_breaker_state."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class CircuitBreaker:
    """The state of one dependency. For one event loop; not for threads."""

    def __init__(self, name: str, *, failures_to_open: int = 3) -> None:
        self._failures_to_open = failures_to_open
        self._failures = 0
        self._state = BreakerState.CLOSED
        self._metric = metrics.BREAKER_STATE.labels(breaker=name)
        self._metric.set(self._state)

    @property
    def state(self) -> BreakerState:
        """Where it stands."""
        return self._state

    @property
    def lets_through(self) -> bool:
        """Whether clients' calls may be tried."""
        return self._state is BreakerState.CLOSED

    def succeeded(self) -> None:
        """A client's call went well. One that began before the breaker opened changes nothing any more."""
        if self._state is BreakerState.CLOSED:
            self._failures = 0

    def failed(self) -> bool:
        """A client's call failed; returns whether that opened the breaker, so that probing must begin."""
        self._failures += 1
        opens = self._state is BreakerState.CLOSED and self._failures >= self._failures_to_open
        if opens:
            self._set(BreakerState.OPEN)
        return opens

    def probe_begins(self) -> None:
        """A probe is under way."""
        self._set(BreakerState.HALF_OPEN)

    def probe_failed(self) -> None:
        """Open, until the next probe."""
        self._set(BreakerState.OPEN)

    def probe_succeeded(self) -> None:
        """Closed: clients' calls are tried again."""
        self._failures = 0
        self._set(BreakerState.CLOSED)

    def _set(self, state: BreakerState) -> None:
        self._state = state
        self._metric.set(state)
