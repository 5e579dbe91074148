"""Keeps leases, and stops work that must not go on: two threads beside the one that runs handlers.

The renewer talks to PostgreSQL and may hang with it. The warden never talks to anybody: it compares the local clock
with deadlines that were taken before each request was sent, so it can only be early (failure modes 2 and 3).
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import structlog
from sqlalchemy import Engine

from taskhub_core.jobs import lease
from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.dispatch import unmark
from taskhub_core.jobs.errors import CancelRequested, JobInterrupted, LeaseLost, ShuttingDown, SoftLimitExceeded
from taskhub_core.jobs.lease import Fence
from taskhub_core.jobs.notify import wake_dispatcher
from taskhub_core.jobs.settings import JobSettings
from taskhub_core.telemetry import metrics
from taskhub_worker.worker.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger(__name__)

_LOOK_EVERY_SECONDS = 0.2
_BREAK_IN_AGAIN_SECONDS = 2.0
_LONG_SECONDS = 0.25
"""A job that takes longer does not keep others waiting that came with it."""


@dataclass(slots=True)
class Running:
    """The handler that runs now."""

    context: JobContext
    soft_limit_seconds: float
    hard_limit_seconds: float
    started: float = field(default_factory=time.monotonic)
    reason: type[JobInterrupted] | None = None
    """Why it was told to stop by force, if it was."""
    told: float = 0.0
    """When it was first told, for this reason."""
    told_again: float = 0.0

    @property
    def fence(self) -> Fence:
        """What is held of its job."""
        return self.context.claimed.fence


class Executioner(Protocol):
    """Ends this process for a handler that does not stop, after it has written down why."""

    def hard_limit(self, running: Running, held: Sequence[Fence]) -> None:
        """The handler ran past its hard limit."""

    def unresponsive(self, running: Running, held: Sequence[Fence], reason: type[JobInterrupted]) -> None:
        """The handler did not stop when it was told to."""


class LeaseKeeper:
    """What this process holds, and until when."""

    def __init__(
        self,
        settings: JobSettings,
        engine: Engine,
        *,
        stopping: Callable[[], bool],
        break_in: Callable[[], None],
        executioner: Executioner,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._stopping = stopping
        self._stopping_since: float | None = None
        self._break_in = break_in
        self._executioner = executioner
        self._lock = threading.Lock()
        self._deadlines: dict[Fence, float] = {}
        self._cancelled: set[Fence] = set()
        self._running: Running | None = None
        self._pending: Pending | None = None
        self._closed = threading.Event()
        self._wake_renewer = threading.Event()
        self._threads = [
            threading.Thread(target=self._renew_forever, name="lease-renewer", daemon=True),
            threading.Thread(target=self._watch_forever, name="lease-warden", daemon=True),
        ]

    def start(self) -> None:
        """Begins to renew and to watch."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends both threads, and their connection."""
        self._closed.set()
        self._wake_renewer.set()
        for thread in self._threads:
            thread.join(1.0)
        self._engine.dispose()

    def hold(self, fences: Sequence[Fence], *, asked: float) -> None:
        """Leases that were just taken. `asked`: time.monotonic() before the request for them was sent."""
        deadline = self._deadline(asked)
        with self._lock:
            self._deadlines.update(dict.fromkeys(fences, deadline))

    def release(self, fences: Sequence[Fence]) -> None:
        """Leases that are no longer wanted."""
        with self._lock:
            for fence in fences:
                self._deadlines.pop(fence, None)
                self._cancelled.discard(fence)

    def deadline(self, fences: Sequence[Fence]) -> float:
        """Until when (time.monotonic()) all of these are surely held; the past when one is lost."""
        with self._lock:
            return min((self._deadlines.get(fence, 0.0) for fence in fences), default=0.0)

    def holds(self, fence: Fence) -> bool:
        """Whether the lease is surely held now."""
        return time.monotonic() < self.deadline([fence])

    def cancel_requested(self, fence: Fence) -> bool:
        """Whether somebody asked for the job to be cancelled, as far as the last renewal told."""
        with self._lock:
            return fence in self._cancelled

    @contextmanager
    def watching(self, running: Running) -> "Iterator[None]":
        """Watches the handler that runs within the block."""
        with self._lock:
            self._running = running
        try:
            yield
        finally:
            with self._lock:
                self._running = None

    @contextmanager
    def minding(self, pending: Pending) -> "Iterator[None]":
        """Within the block, gives the unclaimed jobs to others when the handler that runs takes long."""
        with self._lock:
            self._pending = pending
        try:
            yield
        finally:
            with self._lock:
                self._pending = None

    def _deadline(self, asked: float) -> float:
        return asked + self._settings.lease_seconds - self._settings.lease_margin_seconds

    # The renewer

    def _renew_forever(self) -> None:
        due = time.monotonic() + self._settings.lease_renew_seconds
        while not self._closed.is_set():
            self._wake_renewer.wait(max(0.0, due - time.monotonic()))
            if self._closed.is_set():
                return
            if self._wake_renewer.is_set():
                self._wake_renewer.clear()
                self._let_go()
            if time.monotonic() >= due:
                pause = self._settings.lease_renew_seconds
                due = time.monotonic() + (pause if self._renew() else min(0.5, pause))

    def _let_go(self) -> None:
        """What cannot be written is found by the dispatcher: marked, delivered, and never claimed."""
        with self._lock:
            pending = self._pending
        jobs = [] if pending is None else pending.take_all()
        if not jobs:
            return
        try:
            with self._engine.begin() as connection:
                if unmark(connection, jobs):
                    wake_dispatcher(connection)
        except Exception as error:
            log.warning(
                "jobs that wait behind a long one could not be let go", count=len(jobs), error=repr(error)[:300]
            )
        else:
            log.info("let go of jobs that wait behind a long one", count=len(jobs))

    def _renew(self) -> bool:
        with self._lock:
            fences = list(self._deadlines)
        if not fences:
            return True
        asked = time.monotonic()
        try:
            with self._engine.begin() as connection:
                renewed = lease.renew(connection, fences, lease_seconds=self._settings.lease_seconds)
        except Exception as error:
            metrics.LEASE_RENEWALS.labels(outcome="failed").inc(len(fences))
            log.warning("leases could not be renewed", count=len(fences), error=repr(error)[:300])
            return False
        self._take_in(fences, renewed, self._deadline(asked))
        return True

    def _take_in(self, fences: Sequence[Fence], renewed: lease.Renewed, deadline: float) -> None:
        with self._lock:
            running = self._running
            # A fence that was released while the request was under way is nobody's business any more.
            asked_for = [fence for fence in fences if fence in self._deadlines]
            lost = [fence for fence in asked_for if fence not in renewed.held]
            for fence in asked_for:
                self._deadlines[fence] = deadline if fence in renewed.held else 0.0
            self._cancelled.update(renewed.cancel_requested)
        metrics.LEASE_RENEWALS.labels(outcome="renewed").inc(len(renewed.held))
        metrics.LEASE_RENEWALS.labels(outcome="lost").inc(len(lost))
        if running is not None and running.fence in renewed.cancel_requested:
            running.context.interrupt(CancelRequested)

    # The warden

    def _watch_forever(self) -> None:
        while not self._closed.wait(_LOOK_EVERY_SECONDS):
            self._look(time.monotonic())

    def _look(self, now: float) -> None:
        if self._stopping_since is None and self._stopping():
            self._stopping_since = now
        with self._lock:
            running = self._running
            held = list(self._deadlines)
            pending = self._pending
        if running is None:
            return
        if pending and now - running.started >= _LONG_SECONDS:
            self._wake_renewer.set()
        if now - running.started >= running.hard_limit_seconds:
            self._executioner.hard_limit(running, held)
        reason = self._reason_to_stop(running, now)
        if reason is None:
            return
        if reason is not running.reason:
            running.reason, running.told, running.told_again = reason, now, 0.0
        # Past its soft limit a handler may take until the hard limit. Without a lease or past the grace it may not.
        if reason is not SoftLimitExceeded and now - running.told >= self._settings.lease_margin_seconds:
            self._executioner.unresponsive(running, held, reason)
        if now - running.told_again >= _BREAK_IN_AGAIN_SECONDS:
            self._stop(running, reason, now)

    def _reason_to_stop(self, running: Running, now: float) -> type[JobInterrupted] | None:
        if now >= self.deadline([running.fence]):
            return LeaseLost
        grace = self._settings.shutdown_grace_seconds
        if self._stopping_since is not None and now - self._stopping_since >= grace:
            return ShuttingDown
        return SoftLimitExceeded if now - running.started >= running.soft_limit_seconds else None

    def _stop(self, running: Running, reason: type[JobInterrupted], now: float) -> None:
        running.told_again = now
        running.context.interrupt(reason)
        # The handler may have ended since it was looked at: then there is nothing to break into.
        with self._lock:
            if self._running is running:
                self._break_in()
