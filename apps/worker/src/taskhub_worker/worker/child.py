"""What one forked process of the worker consists of, built after the fork: connections, threads and tracing."""

import os
import socket
import uuid
from collections.abc import Sequence

from taskhub_core.database.engine import make_engine
from taskhub_core.jobs.context import HandlerSettings
from taskhub_core.jobs.registry import Registry
from taskhub_core.telemetry import logs, tracing
from taskhub_worker.cli import VERSION
from taskhub_worker.database import ConnectionWatch, watched_engine
from taskhub_worker.worker.board import Board
from taskhub_worker.worker.break_in import BreakIn
from taskhub_worker.worker.execution import Executor
from taskhub_worker.worker.keeper import LeaseKeeper
from taskhub_worker.worker.last_words import LastWords
from taskhub_worker.worker.settings import WorkerSettings

SERVICE = "taskhub-worker"


class Child:
    """One process that runs jobs."""

    def __init__(self, settings: WorkerSettings, registry: Registry, board: Board) -> None:
        logs.configure(settings, service=SERVICE)
        self._tracing = tracing.configure(settings, service=SERVICE, version=VERSION)
        name = f"{socket.gethostname()}:{os.getpid()}"
        watch = ConnectionWatch()
        limit = settings.worker_database_limit_seconds
        break_in = BreakIn()

        def stopping() -> bool:
            return board.stopping

        self._keeper = LeaseKeeper(
            settings,
            watched_engine(
                settings, watch, application_name="taskhub-worker-leases", limit_seconds=settings.lease_renew_seconds
            ),
            stopping=stopping,
            break_in=break_in.send,
            executioner=LastWords(settings, registry),
        )
        engine = watched_engine(settings, watch, application_name="taskhub-worker", limit_seconds=limit)
        handler_engine = make_engine(settings, application_name="taskhub-worker-handlers")
        self._engines = (engine, handler_engine)
        self._executor = Executor(
            worker=name,
            engine=engine,
            handler_engine=handler_engine,
            settings=HandlerSettings(),
            flush_seconds=settings.worker_flush_seconds,
            registry=registry,
            keeper=self._keeper,
            break_in=break_in,
            stopping=stopping,
        )
        self._keeper.start()

    def run(self, job_ids: Sequence[uuid.UUID]) -> bool:
        """Does the jobs of one message; False when the message must go back."""
        return self._executor.run(job_ids)

    def close(self) -> None:
        """Closes connections and sends the last spans."""
        self._keeper.close()
        for engine in self._engines:
            engine.dispose()
        if self._tracing is not None:
            self._tracing.shutdown()
