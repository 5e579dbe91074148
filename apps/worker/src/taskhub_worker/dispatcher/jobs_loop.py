"""The loop that hands due jobs to the broker, a window at a time."""

from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import Engine

from taskhub_core.jobs.dispatch import (
    Dispatched,
    mark_for_dispatch,
    more_waiting,
    promote_due,
    seconds_to_next_due,
    unmark,
)
from taskhub_core.jobs.registry import Registry
from taskhub_core.telemetry import metrics
from taskhub_worker.dispatcher.loop import DependencyAway, Loop
from taskhub_worker.dispatcher.publisher import BrokerAway, Publisher, PublishUncertain
from taskhub_worker.dispatcher.runs import RunSizes
from taskhub_worker.dispatcher.settings import DispatcherSettings

log = structlog.get_logger(__name__)


_SLOW = 4


class JobsLoop(Loop):
    """Promotes, marks, commits, publishes. Woken by NOTIFY, and never dependent on it."""

    name = "jobs"
    pause_at_least_seconds = 0.01  # a storm of NOTIFYs makes fuller passes, not more of them

    def __init__(self, settings: DispatcherSettings, engine: Engine, registry: Registry, publisher: Publisher) -> None:
        super().__init__()
        self._settings = settings
        self._engine = engine
        self._registry = registry
        self._publisher = publisher
        self._run_sizes = RunSizes(registry, run_seconds=settings.dispatch_run_seconds)

    def turn(self) -> float:
        """One pass. The broker is asked first: jobs are not marked for a broker that is known to be away."""
        window = self._settings.dispatch_window
        self._check_broker()
        with self._engine.begin() as connection:
            promote_due(connection, limit=window)
            jobs = mark_for_dispatch(connection, self._registry, window=window, queues=self._settings.job_queues)
            run_sizes = self._run_sizes.now(connection, len(jobs))
            more = more_waiting(connection, self._registry)
            next_due = seconds_to_next_due(connection)
        if jobs:
            self._publish(jobs, run_sizes)
        if more:
            # Where the window empties slowly, fuller passes do as well as more of them.
            return self._settings.dispatch_refill_seconds * (1 if len(jobs) > window // 10 else _SLOW)
        poll = self._settings.dispatch_poll_seconds
        return poll if next_due is None else min(poll, max(next_due, 0.001))

    def close(self) -> None:
        """Closes both connections."""
        self._publisher.close()
        self._engine.dispose()

    def _check_broker(self) -> None:
        try:
            self._publisher.check()
        except BrokerAway as error:
            metrics.PUBLISH_FAILURES.labels(broker="redis").inc()
            raise DependencyAway(str(error)) from error

    def _publish(self, jobs: Sequence[Dispatched], run_sizes: Mapping[str, int]) -> None:
        try:
            self._publisher.publish(jobs, run_sizes)
        except PublishUncertain as error:
            # They may have arrived, so the marks stay; the lost loop takes back those that did not.
            metrics.PUBLISH_FAILURES.labels(broker="redis").inc()
            raise DependencyAway(str(error)) from error
        except Exception:
            with self._engine.begin() as connection:
                unmark(connection, [job.job_id for job in jobs])
            raise
        metrics.JOBS_DISPATCHED.inc(len(jobs))
        log.debug("jobs dispatched", count=len(jobs))
