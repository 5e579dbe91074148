"""The dead-letter queue for operators: boto3 blocks, so it works in two threads of its own, and never for long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from taskhub_core.errors import Unavailable
from taskhub_core.events.queue import EventQueue, Message, QueueCounts, Redriven, make_sqs_client
from taskhub_core.settings import QueueSettings

_THREADS = 2
_CALL_SECONDS = 1.5
"""What one call may take: a frozen SQS is answered with 503 after this time."""
_WHOLE_SECONDS = 8.0
"""What any number of calls may take, within the request's own deadline."""


class DeadLetters:
    """Looks into the dead-letter queue, and sends what is in it back."""

    def __init__(self, settings: QueueSettings) -> None:
        limits = {
            "sqs_connect_timeout_seconds": min(settings.sqs_connect_timeout_seconds, _CALL_SECONDS),
            "sqs_read_timeout_seconds": min(settings.sqs_read_timeout_seconds, _CALL_SECONDS),
        }
        self._settings = settings.model_copy(update=limits)
        self._queues: tuple[EventQueue, EventQueue] | None = None
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="dead-letters")
        self._busy = 0

    async def counts(self) -> QueueCounts:
        """How many messages there are, about. Raises Unavailable."""
        return await self._run(lambda dead, _events: dead.counts())

    async def peek(self, *, limit: int) -> list[Message]:
        """Up to `limit` messages, which stay where they are. Raises Unavailable."""
        return await self._run(lambda dead, _events: dead.peek(limit=limit))

    async def redrive(self, *, limit: int) -> Redriven:
        """Sends messages back to the queue of events. Raises Unavailable, also when it has moved some of them."""
        return await self._run(lambda dead, events: dead.redrive_to(events, limit=limit))

    def close(self) -> None:
        """What is under way ends by its own limits."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run[T](self, work: Callable[[EventQueue, EventQueue], T]) -> T:
        if self._busy >= _THREADS:
            raise Unavailable("SQS has not answered other operators' requests yet.", dependency="sqs")
        self._busy += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*self._open()))
        future.add_done_callback(self._ended)
        try:
            # The thread goes on when we do not wait any longer, and counts as busy until it ends.
            return await asyncio.wait_for(asyncio.shield(future), _WHOLE_SECONDS)
        except TimeoutError:
            raise Unavailable("SQS did not answer in time.", dependency="sqs") from None

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._busy -= 1
        if not future.cancelled():
            future.exception()  # looked at, so that one that nobody waits for is not reported as forgotten

    def _open(self) -> tuple[EventQueue, EventQueue]:
        if self._queues is None:  # in the thread: it reads files, and may look for credentials
            client = make_sqs_client(self._settings)
            self._queues = (
                EventQueue(client, self._settings.sqs_dlq_name),
                EventQueue(client, self._settings.sqs_queue_name),
            )
        return self._queues
