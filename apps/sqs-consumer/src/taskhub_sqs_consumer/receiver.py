"""One receiver: polls the queue, holds what it got, and has it processed."""

import random
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack

import structlog

from taskhub_core.errors import Unavailable
from taskhub_core.events.queue import MAX_BATCH, EventQueue, Message, QueueUnavailable
from taskhub_core.telemetry.health import ProgressStamp
from taskhub_sqs_consumer.batch import BatchProcessor
from taskhub_sqs_consumer.gate import Gate
from taskhub_sqs_consumer.parse import Arrival
from taskhub_sqs_consumer.settings import ConsumerSettings
from taskhub_sqs_consumer.visibility import VisibilityKeeper

_log = structlog.get_logger(__name__)

_TURN_SECONDS = 1.0
_AFTER_POLLS_SECONDS = 1
"""How much longer than a long poll given-back messages are hidden. SQS counts in whole seconds."""
_CALLS_AT_ONCE = 4
_QUEUE_PAUSES = (0.5, 1.0, 2.0, 5.0)


class Receiver:
    """A thread of the consumer."""

    def __init__(
        self,
        number: int,
        queue: EventQueue,
        processor: BatchProcessor,
        keeper: VisibilityKeeper,
        gate: Gate,
        *,
        settings: ConsumerSettings,
        stopping: threading.Event,
    ) -> None:
        self._queue = queue
        self._processor = processor
        self._keeper = keeper
        self._gate = gate
        self._settings = settings
        self._stopping = stopping
        self._queue_failures = 0
        slowest_step = (
            settings.consumer_wait_seconds
            + settings.sqs_read_timeout_seconds
            + settings.consumer_unit_seconds
            + settings.consumer_index_timeout_seconds
        )
        self.stamp = ProgressStamp(f"receiver {number}", max_age_seconds=2 * slowest_step + 30)
        self._thread = threading.Thread(target=self._run, name=f"receiver-{number}", daemon=True)

    def start(self) -> None:
        """Begins to receive."""
        self._thread.start()

    def join(self, timeout_seconds: float) -> bool:
        """Waits for the end of its last batch; returns whether it ended."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.stamp.touch()
            if not self._gate.wait_open(_TURN_SECONDS):
                continue
            try:
                self._turn()
                self._queue_failures = 0
            except QueueUnavailable as error:
                self._back_off(error)
            except Exception:
                # A bug must not end the thread silently; what it held comes back by its visibility timeout.
                _log.exception("a receiver's turn failed")
                self._stopping.wait(_TURN_SECONDS)

    def _turn(self) -> None:
        messages = self._receive(wait_seconds=self._settings.consumer_wait_seconds)
        if not messages:
            return
        with ExitStack() as held:
            held.enter_context(self._keeper.hold(messages))
            # Only a backlog makes full receives, and then it pays to process more at once.
            backlog = len(messages) == MAX_BATCH
            while backlog and (calls := self._more_calls(len(messages))):
                more = self._receive_more(calls)
                held.enter_context(self._keeper.hold(more))
                messages = messages + more
                backlog = len(more) == calls * MAX_BATCH
            # Also while the consumer stops: to give them back would have the next poll under way receive them, and the
            # one after it, until SQS has handed them out so often that it moves them to the DLQ.
            self._work(self._processor.sort_out(messages))

    def _more_calls(self, received: int) -> int:
        """How many receives to begin at once; none when the batch is full, or when the consumer stops."""
        missing = max(0, self._settings.consumer_batch_size - received)
        return 0 if self._stopping.is_set() else min(_CALLS_AT_ONCE, -(-missing // MAX_BATCH))

    def _receive_more(self, calls: int) -> list[Message]:
        self.stamp.touch()
        return self._queue.receive_more(calls, visibility_seconds=self._settings.consumer_visibility_seconds)

    def _receive(self, *, wait_seconds: int) -> list[Message]:
        self.stamp.touch()
        return self._queue.receive(
            visibility_seconds=self._settings.consumer_visibility_seconds, wait_seconds=wait_seconds
        )

    def _work(self, arrivals: Sequence[Arrival]) -> None:
        hold_until = time.monotonic() + self._settings.consumer_hold_seconds
        while arrivals:
            try:
                self._processor.process(arrivals, progress=self.stamp.touch)
            except QueueUnavailable:
                raise  # what was done will be found done when the messages come again
            except Unavailable as error:
                self._gate.report_away(error.dependency, error)
                if not self._wait_open_until(hold_until):
                    self._give_back([arrival.message for arrival in arrivals])
                    return
            else:
                return

    def _wait_open_until(self, deadline: float) -> bool:
        while not self._stopping.is_set():
            self.stamp.touch()
            left = deadline - time.monotonic()
            if self._gate.wait_open(max(0.0, min(left, _TURN_SECONDS))):
                return True
            if left <= 0:
                return False
        return False

    def _give_back(self, messages: Sequence[Message]) -> None:
        """Leaves them to whoever polls next, but not to a poll that is under way: its receiver has no use for them."""
        self._keeper.release(messages)
        self._queue.set_visibility(messages, self._settings.consumer_wait_seconds + _AFTER_POLLS_SECONDS)
        _log.info("messages given back", messages=len(messages))

    def _back_off(self, error: QueueUnavailable) -> None:
        if self._queue_failures == 0:
            _log.warning("SQS is away", error=str(error))
        pause = _QUEUE_PAUSES[min(self._queue_failures, len(_QUEUE_PAUSES) - 1)]
        self._queue_failures += 1
        self._stopping.wait(random.uniform(0.5, 1.0) * pause)  # noqa: S311 - jitter, not a secret
