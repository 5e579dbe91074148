"""The consumer: receivers, and around them what keeps them honest about time, visibility and dependencies."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from taskhub_core.database import unit_of_work
from taskhub_core.database.engine import make_engine
from taskhub_core.database.failures import Failure, classify
from taskhub_core.errors import Unavailable
from taskhub_core.events.queue import EventQueue, make_sqs_client
from taskhub_core.jobs.registry import registry
from taskhub_core.search.client import make_client
from taskhub_core.search.reindex import ensure_index
from taskhub_core.search.write import check_writable
from taskhub_core.telemetry.health import HealthServer
from taskhub_sqs_consumer.batch import BatchProcessor, Index
from taskhub_sqs_consumer.effects import Effects
from taskhub_sqs_consumer.gate import Gate, Probe
from taskhub_sqs_consumer.receiver import Receiver
from taskhub_sqs_consumer.settings import ConsumerSettings
from taskhub_sqs_consumer.visibility import VisibilityKeeper
from taskhub_sqs_consumer.watchdog import Watchdog

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_log = structlog.get_logger(__name__)

_WATCHDOG_GRACE_SECONDS = 2.0
_SQS_CALLS = 8
"""At a time, beside the long polls and the keeper's: within the ten connections that a client keeps."""
_READ_ONLY = text("SHOW transaction_read_only")


class Consumer:
    """Start it once, stop it once."""

    def __init__(self, settings: ConsumerSettings, *, sqs_client: Callable[..., "SQSClient"] = make_sqs_client) -> None:
        registry.load()
        self._settings = settings
        self._stopping = threading.Event()
        self._engine = make_engine(settings, application_name="taskhub-sqs-consumer")
        self._watchdog = Watchdog(self._engine)
        self._index: Index | None = None
        if settings.elasticsearch_url is not None:
            client = make_client(settings, timeout_seconds=settings.consumer_index_timeout_seconds)
            self._index = Index(client, settings.search_alias)
        commands = sqs_client(settings)
        polls = sqs_client(settings, wait_seconds=settings.consumer_wait_seconds)
        self._calls = ThreadPoolExecutor(_SQS_CALLS, thread_name_prefix="sqs")
        queue = EventQueue(commands, settings.sqs_queue_name, pool=self._calls)
        self._keeper = VisibilityKeeper(queue, visibility_seconds=settings.consumer_visibility_seconds)
        self._gate = Gate(self._probes(), queue_name=settings.sqs_queue_name, stopping=self._stopping)
        processor = BatchProcessor(
            queue,
            EventQueue(commands, settings.sqs_dlq_name),
            run_unit=self._run_unit,
            index=self._index,
            max_retry_seconds=settings.consumer_retry_seconds,
        )
        self._receivers = [
            Receiver(
                number,
                EventQueue(polls, settings.sqs_queue_name, pool=self._calls),
                processor,
                self._keeper,
                self._gate,
                settings=settings,
                stopping=self._stopping,
            )
            for number in range(settings.consumer_receivers)
        ]
        self.health = HealthServer(settings.metrics_host, settings.metrics_port, live=self._alive)

    def start(self) -> None:
        """Begins to consume, as soon as PostgreSQL and Elasticsearch answer."""
        self.health.start()
        self._keeper.start()
        self._gate.start()
        for receiver in self._receivers:
            receiver.start()

    def stop(self) -> bool:
        """Finishes what is received, what the polls under way still bring too; returns whether it ended in time."""
        self._stopping.set()
        deadline = time.monotonic() + self._settings.consumer_wait_seconds + self._settings.consumer_stop_seconds
        ended = [receiver.join(max(0.0, deadline - time.monotonic())) for receiver in self._receivers]
        self._gate.stop()
        self._keeper.stop()
        self.health.stop()
        self._calls.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()
        if self._index is not None:
            self._index.client.close()
        return all(ended)

    def _alive(self) -> str | None:
        problems = [receiver.stamp.check() for receiver in self._receivers]
        return next((problem for problem in problems if problem), None)

    def _probes(self) -> dict[str, Probe]:
        probes: dict[str, Probe] = {"postgresql": self._ping_postgresql}
        if self._index is not None:
            probes["elasticsearch"] = self._ensure_index
        return probes

    def _ping_postgresql(self) -> None:
        with self._watchdog.limit(self._settings.consumer_unit_seconds):
            unit_of_work.run(self._engine, _check_writable, deadline_seconds=1.0)

    def _ensure_index(self) -> None:
        if self._index is not None:
            ensure_index(self._engine, self._index.client, self._index.alias, check=self._check_stop)
            check_writable(self._index.client, self._index.alias)

    def _check_stop(self) -> None:
        if self._stopping.is_set():
            raise _Stopping("the consumer stops")

    def _run_unit(self, work: Callable[[Connection], Effects]) -> Effects:
        seconds = self._settings.consumer_unit_seconds
        try:
            with self._watchdog.limit(seconds + _WATCHDOG_GRACE_SECONDS):
                # A commit whose outcome is unknown may be repeated: every effect has the event's id as its key.
                return unit_of_work.run(self._engine, work, deadline_seconds=seconds, repeat_unknown_commit=True)
        except DBAPIError as error:
            if _is_short_of_something(error):
                raise Unavailable(f"PostgreSQL cannot work now: {error.orig}", dependency="postgresql") from error
            raise


class _Stopping(Exception):
    """Ends a long probe."""


def _check_writable(connection: Connection) -> None:
    if connection.execute(_READ_ONLY).scalar_one() != "off":
        raise Unavailable("PostgreSQL is read-only.", dependency="postgresql")


def _is_short_of_something(error: DBAPIError) -> bool:
    """Of locks, time, disk or memory: nothing that an event could be blamed for."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return classify(error) is Failure.BUSY or state.startswith(("53", "58"))
