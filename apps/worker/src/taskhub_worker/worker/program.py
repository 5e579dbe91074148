"""Celery's worker program with our own end: children learn of SIGTERM at once, and the whole of it is bounded."""

import os
import signal
import threading
from types import FrameType
from typing import Any

import structlog
from celery.apps.worker import Worker
from celery.worker import WorkController, state

from taskhub_worker.worker.board import Board

log = structlog.get_logger(__name__)


class Program(Worker):
    """A worker whose shutdown is soft: short jobs end, long ones go back, and messages are acknowledged meanwhile.

    Celery's own soft shutdown (SIGQUIT, or SIGTERM with REMAP_SIGTERM=SIGQUIT) sleeps through the whole
    worker_soft_shutdown_timeout inside the signal handler before it tells anybody, acknowledges nothing, and prints
    plain text. So the same contract is kept another way: the handler writes to the board, which every child reads, and
    asks Celery's loop for a warm shutdown; the engine in the children ends or gives back what runs; and after the
    timeout the process group is ended by force. REMAP_SIGTERM is still set, because billiard then makes children
    ignore a SIGTERM that is sent to the whole group.
    """

    def __init__(self, *, board: Board, soft_shutdown_seconds: float, **options: Any) -> None:
        self._board = board
        self._soft_shutdown_seconds = soft_shutdown_seconds
        self._asked = threading.Event()
        super().__init__(**options)

    def install_platform_tweaks(self, worker: WorkController) -> None:  # noqa: ARG002 - Celery calls it so
        """Our signal handlers instead of Celery's."""
        threading.Thread(target=self._bound_shutdown, name="shutdown-bound", daemon=True).start()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def set_process_status(self, info: str) -> None:
        """No process title: the command line stays as it was started."""

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._board.stop()
        vars(state)["should_stop"] = 0  # the exit status; celery-types believes that it is always None
        self._asked.set()

    def _bound_shutdown(self) -> None:
        self._asked.wait()
        log.info("stopping", at_most_seconds=self._soft_shutdown_seconds)
        timer = threading.Event()
        timer.wait(self._soft_shutdown_seconds)
        log.error("the worker did not stop in time; it ends by force", seconds=self._soft_shutdown_seconds)
        # Children are killed with their parent (PR_SET_PDEATHSIG). Their leases run out and the dispatcher rescues.
        os._exit(1)
