"""Keeps received messages hidden from other consumers for as long as they are worked on."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from taskhub_core.events.queue import EventQueue, Message, QueueUnavailable

_log = structlog.get_logger(__name__)


class VisibilityKeeper:
    """One thread that prolongs the visibility timeout of all messages in work, three times as often as needed."""

    def __init__(self, queue: EventQueue, *, visibility_seconds: int) -> None:
        self._queue = queue
        self._visibility_seconds = visibility_seconds
        self._held: dict[str, Message] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="visibility", daemon=True)

    def start(self) -> None:
        """Begins to prolong."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it. Messages still held come back when their time is over."""
        self._stopping.set()
        self._thread.join(timeout=1.0)

    @contextmanager
    def hold(self, messages: Sequence[Message]) -> Iterator[None]:
        """Holds the messages within the block."""
        with self._lock:
            self._held |= {message.receipt: message for message in messages}
        try:
            yield
        finally:
            self.release(messages)

    def release(self, messages: Sequence[Message]) -> None:
        """Stops holding the messages: they are deleted or given back. Releasing twice is harmless."""
        with self._lock:
            for message in messages:
                self._held.pop(message.receipt, None)

    def _run(self) -> None:
        while not self._stopping.wait(self._visibility_seconds / 3):
            with self._lock:
                held = list(self._held.values())
            try:
                self._queue.set_visibility(held, self._visibility_seconds)
            except QueueUnavailable as error:
                # Two more tries fit in before the messages come back; and if they do, that is harmless.
                _log.warning("visibility was not prolonged", messages=len(held), error=str(error))
