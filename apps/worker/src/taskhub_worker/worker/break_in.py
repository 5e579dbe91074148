"""Breaking into a handler that does not look up: a signal to the main thread raises what the engine asked for there."""

import signal
import threading
from collections.abc import Callable

from taskhub_core.jobs.context import JobContext


class BreakIn:
    """Armed only while a handler runs, so that it never hits the engine's own code. Made in the main thread."""

    def __init__(self) -> None:
        self._main_thread = threading.get_ident()
        self._context: JobContext | None = None
        signal.signal(signal.SIGUSR2, self._on_signal)

    def call[T](self, context: JobContext, function: Callable[[], T]) -> T:
        """Calls the function so that `send` can end it. Raises what the function raises, or the interruption."""
        try:
            self._context = context
            return function()
        finally:
            self._context = None

    def send(self) -> None:
        """Raises the context's interruption in the handler that runs now, if one does. From any thread."""
        signal.pthread_kill(self._main_thread, signal.SIGUSR2)

    def _on_signal(self, *_: object) -> None:
        if self._context is not None:
            self._context.check()
