"""Puts the worker together: settings, job kinds, Celery app, health server, children."""

import logging
import socket
import uuid
from pathlib import Path
from typing import Any

import structlog
from celery import Celery, signals
from celery.exceptions import Reject

from taskhub_core.jobs.broker import TASK_NAME, check_limits, make_celery
from taskhub_core.jobs.registry import Registry, registry
from taskhub_core.telemetry import logs
from taskhub_core.telemetry.health import HealthServer
from taskhub_worker.cli import VERSION
from taskhub_worker.worker.board import Board
from taskhub_worker.worker.child import SERVICE, Child
from taskhub_worker.worker.consumer import consumer_class
from taskhub_worker.worker.program import Program
from taskhub_worker.worker.settings import WorkerSettings
from taskhub_worker.worker.stamp import FileStamp
from taskhub_worker.worker.telemetry import collector, forget_dead

log = structlog.get_logger(__name__)

_LOOP_STUCK_AFTER_SECONDS = 60.0
_QUIET = {
    # Their INFO lines tell of messages; ours tell of jobs.
    "celery": logging.WARNING,
    "kombu": logging.WARNING,
    # A message that goes back to the queue at shutdown is in order.
    "celery.app.trace": logging.ERROR,
}


def run(folder: Path) -> int:
    """Runs the worker until it is told to stop; returns the exit status."""
    settings = WorkerSettings()
    logs.configure(settings, service=SERVICE)
    logging.captureWarnings(True)
    # billiard's logger does not hand up to the root logger, and Celery resets it: it gets the same handler.
    logging.getLogger("multiprocessing").handlers = logging.getLogger().handlers
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    kinds = registry.load(settings.job_kind_modules)
    check_limits(kinds, settings)
    app = make_celery(settings, settings)
    stamp = FileStamp(folder / "worker.stamp", max_age_seconds=_LOOP_STUCK_AFTER_SECONDS)
    app.conf.worker_consumer = consumer_class(stamp, settings.broker_retry_seconds)
    board = Board()
    children = Children(settings, kinds, board)
    children.attach(app)
    metrics = folder / "metrics"
    health = HealthServer(
        settings.metrics_host,
        settings.metrics_port,
        live=stamp.check,
        registry=collector(metrics),
        before_scrape=lambda: forget_dead(metrics),
    )
    health.start()
    log.info("worker starts", version=VERSION, processes=settings.worker_processes, metrics_port=health.port)
    try:
        return _consume(app, settings, board)
    finally:
        health.stop()
        log.info("worker ends")


def _consume(app: Celery, settings: WorkerSettings, board: Board) -> int:
    program = Program(
        app=app,
        board=board,
        soft_shutdown_seconds=settings.soft_shutdown_seconds,
        hostname=f"taskhub@{socket.gethostname()}",
        concurrency=settings.worker_processes,
        pool="prefork",
        optimization="fair",
        quiet=True,
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
    )
    program.start()
    return program.exitcode or 0


class Children:
    """Makes each child process into one that runs jobs."""

    def __init__(self, settings: WorkerSettings, kinds: Registry, board: Board) -> None:
        self._settings = settings
        self._kinds = kinds
        self._board = board
        self._child: Child | None = None

    def attach(self, app: Celery) -> None:
        """Registers the one task, and what happens after a fork."""
        app.task(name=TASK_NAME, bind=False)(self.run)
        signals.setup_logging.connect(_no_logging_of_celerys_own, weak=False)
        signals.worker_process_init.connect(self._after_fork, weak=False)
        signals.worker_process_shutdown.connect(self._before_exit, weak=False)

    def run(self, job_ids: list[str]) -> None:
        """The Celery task: in a child, does the jobs. A message that was not worked on goes back to the queue."""
        if self._child is None:
            raise RuntimeError("no executor in this process: its initialization failed")
        if not self._child.run([uuid.UUID(job_id) for job_id in job_ids]):
            raise Reject("the worker is stopping", requeue=True)

    def _after_fork(self, **_: Any) -> None:
        self._child = Child(self._settings, self._kinds, self._board)

    def _before_exit(self, **_: Any) -> None:
        if self._child is not None:
            self._child.close()


def _no_logging_of_celerys_own(**_: Any) -> None:
    """A receiver of setup_logging is all that Celery needs to leave logging alone."""
