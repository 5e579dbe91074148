"""The loop that measures queues and outbox. What cannot be read has no value, never 0 (rule 12 of the design)."""

import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine, text

from taskhub_core.events import outbox
from taskhub_core.jobs.dispatch import measure
from taskhub_core.telemetry import metrics
from taskhub_worker.dispatcher.broker import BrokerView
from taskhub_worker.dispatcher.loop import Loop
from taskhub_worker.dispatcher.settings import DispatcherSettings
from taskhub_worker.dispatcher.sqs import EventQueue

_CLOCK = text("SELECT EXTRACT(epoch FROM clock_timestamp())::float8")


def _clock_offset_seconds(connection: Connection) -> float:
    """How far this machine's clock is ahead of PostgreSQL's; off by at most half of a round trip."""
    asked = time.time()
    theirs = float(connection.execute(_CLOCK).scalar_one())
    return (asked + time.time()) / 2 - theirs


class GaugesLoop(Loop):
    """Reads each source on its own: one that is away takes only its own values with it."""

    name = "gauges"

    def __init__(
        self, settings: DispatcherSettings, engine: Engine, broker: BrokerView, queues: list[EventQueue]
    ) -> None:
        super().__init__()
        self._settings = settings
        self._engine = engine
        self._broker = broker
        self._queues = queues

    def turn(self) -> float:
        """One reading of everything. Raises the first failure, after the others were read."""
        failures = [
            self._read("postgresql", self._read_database, self._forget_database),
            self._read("redis", self._read_broker, self._forget_broker),
        ]
        sqs = [self._read_queue(queue) for queue in self._queues]
        metrics.DEPENDENCY_UP.labels(dependency="sqs").set(int(not any(sqs)))
        for failure in [*failures, *sqs]:
            if failure is not None:
                raise failure
        return self._settings.gauges_seconds

    def close(self) -> None:
        """Closes every connection."""
        self._broker.close()
        for queue in self._queues:
            queue.close()
        self._engine.dispose()

    @staticmethod
    def _read(dependency: str, read: Callable[[], None], forget: Callable[[], None]) -> Exception | None:
        try:
            read()
        except Exception as error:
            forget()
            metrics.DEPENDENCY_UP.labels(dependency=dependency).set(0)
            return error
        metrics.DEPENDENCY_UP.labels(dependency=dependency).set(1)
        return None

    def _read_database(self) -> None:
        with self._engine.begin() as connection:
            queue = measure(connection)
            depth, age = outbox.measure(connection)
            offset = _clock_offset_seconds(connection)
        metrics.QUEUE_DEPTH.labels(place="postgresql").set(queue.waiting)
        metrics.QUEUE_DEPTH.labels(place="broker").set(queue.dispatched)
        metrics.QUEUE_AGE_SECONDS.labels(queue=self._settings.job_queue_name).set(queue.oldest_age_seconds)
        metrics.JOBS_STATE.labels(state="scheduled").set(queue.scheduled)
        metrics.JOBS_STATE.labels(state="running").set(queue.running)
        metrics.JOBS_STATE.labels(state="dead").set(queue.dead)
        metrics.OUTBOX_DEPTH.labels(queue=self._settings.sqs_queue_name).set(depth)
        metrics.OUTBOX_AGE_SECONDS.labels(queue=self._settings.sqs_queue_name).set(age)
        metrics.CLOCK_OFFSET_SECONDS.labels(against="postgresql").set(offset)

    @staticmethod
    def _forget_database() -> None:
        for gauge in (
            metrics.QUEUE_DEPTH,
            metrics.QUEUE_AGE_SECONDS,
            metrics.JOBS_STATE,
            metrics.OUTBOX_DEPTH,
            metrics.OUTBOX_AGE_SECONDS,
            metrics.CLOCK_OFFSET_SECONDS,
        ):
            gauge.clear()

    def _read_broker(self) -> None:
        for queue, depth in self._broker.depths().items():
            metrics.BROKER_QUEUE_DEPTH.labels(queue=queue).set(depth)

    @staticmethod
    def _forget_broker() -> None:
        metrics.BROKER_QUEUE_DEPTH.clear()

    @staticmethod
    def _read_queue(queue: EventQueue) -> Exception | None:
        try:
            counts = queue.counts()
        except Exception as error:
            for visibility in ("visible", "in_flight", "delayed"):
                metrics.SQS_MESSAGES.remove_by_labels({"queue": queue.name, "visibility": visibility})
            metrics.SQS_UP.labels(queue=queue.name).set(0)
            return error
        metrics.SQS_MESSAGES.labels(queue=queue.name, visibility="visible").set(counts.visible)
        metrics.SQS_MESSAGES.labels(queue=queue.name, visibility="in_flight").set(counts.in_flight)
        metrics.SQS_MESSAGES.labels(queue=queue.name, visibility="delayed").set(counts.delayed)
        metrics.SQS_UP.labels(queue=queue.name).set(1)
        return None
