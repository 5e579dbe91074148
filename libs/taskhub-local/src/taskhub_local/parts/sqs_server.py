"""The process that serves SQS: moto's server, without two of its costs: `python -m taskhub_local.parts.sqs_server`.

As it comes, moto counts every message of the queue several times for each message that it hands out, and asks the
clock at each: a backlog of 480 took 15 s to receive here, with these two replacements 1 s. They answer the same.
"""

from moto.core.utils import unix_time_millis
from moto.server import main
from moto.sqs.models import Message, Queue, SQSBackend


def _messages(queue: Queue) -> list[Message]:
    """What can be received now: visible and not delayed."""
    now = unix_time_millis()
    return [message for message in queue._messages if now > message.visible_at and now >= message.delayed_until]


def _is_retained(backend: SQSBackend, queue_name: str, message: Message) -> bool:
    """Whether the message is younger than its queue's retention period."""
    # moto sets a queue's attributes by name: its types do not know them.
    retained_seconds = int(backend.get_queue(queue_name).message_retention_period)  # type: ignore[attr-defined]
    sent_at_ms: float = message.sent_timestamp  # type: ignore[assignment]
    return unix_time_millis() < sent_at_ms + retained_seconds * 1000


if __name__ == "__main__":
    Queue.messages = property(_messages)  # type: ignore[assignment, method-assign]
    SQSBackend.is_message_valid_based_on_retention_period = _is_retained  # type: ignore[assignment, method-assign]
    main()
