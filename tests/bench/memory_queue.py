"""An SQS client that keeps its messages in this process: what the consumer can do when SQS costs nothing.

It answers the calls that the consumer makes, in the form that boto3 gives them. The rest of the consumer is real.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

_POLL_SECONDS = 0.002


class MemoryQueue:
    """One queue. May be shared by threads."""

    def __init__(self) -> None:
        self._waiting: deque[dict[str, Any]] = deque()
        self._receipts = itertools.count()
        self._lock = threading.Lock()
        self.deleted = 0
        self.polled = False
        """Whether anybody has asked for messages."""

    def put(self, bodies: Sequence[str]) -> None:
        """Adds messages."""
        sent = str(int(time.time() * 1_000))
        attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": sent}
        for body in bodies:
            receipt = str(next(self._receipts))
            self._waiting.append(
                {"MessageId": receipt, "Body": body, "ReceiptHandle": receipt, "Attributes": attributes}
            )

    def get_queue_url(self, **_: Any) -> dict[str, Any]:
        """Any will do."""
        return {"QueueUrl": "memory"}

    def receive_message(self, *, MaxNumberOfMessages: int, WaitTimeSeconds: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        """The next messages; waits for the first."""
        self.polled = True
        end = time.monotonic() + WaitTimeSeconds
        while True:
            with self._lock:
                taken = [self._waiting.popleft() for _ in range(min(MaxNumberOfMessages, len(self._waiting)))]
            if taken or time.monotonic() >= end:
                return {"Messages": taken}
            time.sleep(_POLL_SECONDS)

    def delete_message_batch(self, *, Entries: Sequence[Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        """Counts them."""
        with self._lock:
            self.deleted += len(Entries)
        return {}

    def change_message_visibility_batch(self, **_: Any) -> dict[str, Any]:
        """Nothing becomes visible again here."""
        return {}

    def send_message_batch(self, **_: Any) -> dict[str, Any]:
        """Nothing is to be rejected in a benchmark."""
        raise AssertionError("a message was rejected")
