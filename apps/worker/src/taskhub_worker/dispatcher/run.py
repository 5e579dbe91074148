"""Puts the dispatcher together and runs it until SIGTERM."""

import signal
import threading
from collections.abc import Sequence

import structlog
from sqlalchemy import Engine

from taskhub_core.jobs.broker import check_limits, make_celery
from taskhub_core.jobs.registry import registry
from taskhub_core.telemetry import logs, tracing
from taskhub_core.telemetry.health import HealthServer
from taskhub_worker.cli import VERSION
from taskhub_worker.database import ConnectionWatch, watched_engine
from taskhub_worker.dispatcher.broker import BrokerView
from taskhub_worker.dispatcher.gauges_loop import GaugesLoop
from taskhub_worker.dispatcher.jobs_loop import JobsLoop
from taskhub_worker.dispatcher.listener import Listener, can_listen
from taskhub_worker.dispatcher.loop import Loop
from taskhub_worker.dispatcher.lost_loop import LostLoop
from taskhub_worker.dispatcher.outbox_loop import OutboxLoop
from taskhub_worker.dispatcher.publisher import Publisher
from taskhub_worker.dispatcher.rescue_loop import RescueLoop
from taskhub_worker.dispatcher.retention_loop import RetentionLoop
from taskhub_worker.dispatcher.settings import DispatcherSettings
from taskhub_worker.dispatcher.sqs import EventQueue

log = structlog.get_logger(__name__)

SERVICE = "taskhub-dispatcher"
_TRANSACTION_SECONDS = 8.0
_OUTBOX_TRANSACTION_SECONDS = 20.0
_STOP_SECONDS = 10.0


class Dispatcher:
    """All loops of one dispatcher."""

    def __init__(self, settings: DispatcherSettings) -> None:
        self._settings = settings
        self._watch = ConnectionWatch()
        kinds = registry.load(settings.job_kind_modules)
        check_limits(kinds, settings)
        for kind in settings.job_queues:
            kinds.get(kind)  # raises UnknownKind: a misspelt one would go to the queue of all others
        app = make_celery(settings, settings, settings.job_queue_names)
        publisher = Publisher(app, kinds, settings.job_queues)
        self.jobs = JobsLoop(settings, self._engine("jobs"), kinds, publisher)
        queues = [EventQueue(settings, name) for name in (settings.sqs_queue_name, settings.sqs_dlq_name)]
        events = EventQueue(settings, settings.sqs_queue_name, connections=settings.outbox_senders)
        self.loops: Sequence[Loop] = (
            self.jobs,
            OutboxLoop(settings, self._engine("outbox", limit_seconds=_OUTBOX_TRANSACTION_SECONDS), events),
            RescueLoop(settings, self._engine("rescue"), kinds),
            LostLoop(settings, self._engine("lost"), BrokerView(settings, settings.job_queue_names)),
            RetentionLoop(settings, self._engine("retention")),
            GaugesLoop(settings, self._engine("gauges"), BrokerView(settings, settings.job_queue_names), queues),
        )
        self._listener = Listener(settings, self.jobs.wake) if can_listen(settings) else None
        self._started = False

    def start(self) -> None:
        """Starts every loop."""
        for loop in self.loops:
            loop.start()
        if self._listener is not None:
            self._listener.start()
        self._started = True

    def stop(self) -> bool:
        """Lets every loop finish its turn; False if one did not in time."""
        if self._listener is not None:
            self._listener.stop()
        for loop in self.loops:
            loop.stop()
        ended = [loop.join(_STOP_SECONDS) for loop in self.loops]
        return all(ended)

    def live(self) -> str | None:
        """The first loop that makes no progress, if there is one. Dependencies are nobody's liveness."""
        return next((problem for loop in self.loops if (problem := loop.stamp.check())), None)

    def ready(self) -> str | None:
        """Ready is started."""
        return None if self._started else "starting"

    def _engine(self, loop: str, *, limit_seconds: float = _TRANSACTION_SECONDS) -> Engine:
        return watched_engine(
            self._settings,
            self._watch,
            application_name=f"taskhub-dispatcher-{loop}",
            limit_seconds=limit_seconds,
        )


def run() -> int:
    """Runs until SIGTERM or SIGINT; returns the exit status."""
    settings = DispatcherSettings()
    logs.configure(settings, service=SERVICE)
    tracing.configure(settings, service=SERVICE, version=VERSION)
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    dispatcher = Dispatcher(settings)
    health = HealthServer(settings.metrics_host, settings.metrics_port, live=dispatcher.live, ready=dispatcher.ready)
    health.start()
    dispatcher.start()
    log.info("dispatcher starts", version=VERSION, metrics_port=health.port)
    told_to_stop.wait()
    log.info("stopping")
    stopped = dispatcher.stop()
    health.stop()
    log.info("dispatcher ends", every_turn_finished=stopped)
    return 0
