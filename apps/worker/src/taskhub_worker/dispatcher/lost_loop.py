"""The loop that finds jobs whose messages the broker lost, and lets them be published again."""

import uuid

import structlog
from sqlalchemy import Engine, text

from taskhub_core.jobs.dispatch import find_lost, unmark, unmark_before
from taskhub_core.jobs.notify import wake_dispatcher
from taskhub_core.telemetry import metrics
from taskhub_worker.dispatcher.broker import BrokerView, Epoch
from taskhub_worker.dispatcher.loop import Loop
from taskhub_worker.dispatcher.settings import DispatcherSettings

log = structlog.get_logger(__name__)

_NOW = text("SELECT clock_timestamp()")
_MOST_JOBS = 20_000
_LOOK_AGAIN_SECONDS = 0.5
"""After a look that missed some. A message is on its way from Redis to a worker for less than that."""


class LostLoop(Loop):
    """Compares PostgreSQL's marks with what Redis has. To be wrong is harmless: a second message is refused.

    wiped: the broker's epoch is gone, and so is every message: all older marks are taken back at once.
    missing: some messages only (a failover, a publish of unknown outcome, a dispatcher that died before it published).
    stuck: a worker took the message and died or froze before it claimed the job.
    """

    name = "lost"

    def __init__(self, settings: DispatcherSettings, engine: Engine, broker: BrokerView) -> None:
        super().__init__()
        self._settings = settings
        self._engine = engine
        self._broker = broker
        self._epoch: Epoch | None = None
        self._missing: set[uuid.UUID] = set()

    def turn(self) -> float:
        """One look."""
        self._look_for_wipe()
        self._look_for_lost()
        poll = self._settings.lost_poll_seconds
        return min(poll, _LOOK_AGAIN_SECONDS) if self._missing else poll

    def close(self) -> None:
        """Closes both connections."""
        self._broker.close()
        self._engine.dispose()

    def _look_for_wipe(self) -> None:
        with self._engine.begin() as connection:
            now = connection.execute(_NOW).scalar_one()
        epoch = self._broker.epoch(now)
        if self._epoch is not None and epoch.token == self._epoch.token:
            return
        # At the first look there may be an epoch that we did not see begin: its marks are older than it, or not lost.
        with self._engine.begin() as connection:
            count = unmark_before(connection, epoch.began)
            if count:
                wake_dispatcher(connection)
        self._epoch = epoch
        self._report("wiped", count)

    def _look_for_lost(self) -> None:
        settings = self._settings
        with self._engine.begin() as connection:
            old = find_lost(connection, older_than_seconds=settings.lost_after_seconds, limit=_MOST_JOBS)
            very_old = find_lost(connection, older_than_seconds=settings.republish_after_seconds, limit=_MOST_JOBS)
        if not old:
            self._missing = set()
            return
        contents = self._broker.contents()
        if contents is None:
            return
        missing = {job for job in old if str(job) not in contents.queued and str(job) not in contents.delivered}
        stuck = [job for job in very_old if str(job) not in contents.queued and str(job) in contents.delivered]
        # Twice in a row: once may be a message on its way from Redis to a worker.
        self._take_back(list(missing & self._missing), settings.lost_after_seconds, "missing")
        self._missing = missing
        self._take_back(stuck, settings.republish_after_seconds, "stuck")

    def _take_back(self, jobs: list[uuid.UUID], older_than_seconds: float, reason: str) -> None:
        if not jobs:
            return
        with self._engine.begin() as connection:
            count = unmark(connection, jobs, older_than_seconds=older_than_seconds)
            if count:
                wake_dispatcher(connection)
        self._report(reason, count)

    @staticmethod
    def _report(reason: str, count: int) -> None:
        if count:
            metrics.JOBS_REPUBLISHED.labels(reason=reason).inc(count)
            log.warning("the broker lost messages; their jobs are published again", reason=reason, count=count)
