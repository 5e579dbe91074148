"""SQS as a process: moto's server, without some of its costs and a fault (`python -m taskhub_local.parts.sqs_server`).

As it comes, moto counts every message of the queue several times for each message that it hands out or takes, and asks
the clock at each: a backlog of 480 took 15 s to receive here, with these replacements 1 s, and sending ten messages to
a queue that holds 2,500 took 250 ms, now 18. They answer the same.

And its delete copies the list of messages and then puts the copy in its place, while other threads add to the list:
under load it lost a message in some ten thousand, which SQS, being durable, does not.
"""

from contextlib import suppress

from moto.core.utils import unix_time_millis
from moto.server import main
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, Queue, SQSBackend


def _messages(queue: Queue) -> list[Message]:
    """What can be received now: visible and not delayed."""
    now = unix_time_millis()
    return [message for message in queue._messages if now > message.visible_at and now >= message.delayed_until]


def _count_delayed(queue: Queue) -> int:
    now = unix_time_millis()
    return sum(now < message.delayed_until for message in list(queue._messages))


def _count_not_visible(queue: Queue) -> int:
    now = unix_time_millis()
    return sum(now <= message.visible_at for message in list(queue._messages))


def _had_receipt_handle(message: Message, receipt_handle: str) -> bool:
    return receipt_handle == message.receipt_handle or receipt_handle in message._old_receipt_handles


def _is_retained(backend: SQSBackend, queue_name: str, message: Message) -> bool:
    """Whether the message is younger than its queue's retention period."""
    # moto sets a queue's attributes by name: its types do not know them.
    retained_seconds = int(backend.get_queue(queue_name).message_retention_period)  # type: ignore[attr-defined]
    sent_at_ms: float = message.sent_timestamp  # type: ignore[assignment]
    return unix_time_millis() < sent_at_ms + retained_seconds * 1000


def _delete_message(queue: Queue, receipt_handle: str) -> None:
    """Take the message out of the list in place. Raises ReceiptHandleIsInvalid."""
    if receipt_handle in queue.deleted_messages:
        return
    found = next((message for message in list(queue._messages) if message.had_receipt_handle(receipt_handle)), None)
    if found is None:
        raise ReceiptHandleIsInvalid
    queue.pending_messages.discard(found)
    queue.deleted_messages.update(found.all_receipt_handles)  # type: ignore[arg-type]
    with suppress(ValueError):  # another thread was faster
        queue._messages.remove(found)


def mend() -> None:
    """Put the replacements in place."""
    Queue.messages = property(_messages)  # type: ignore[assignment, method-assign]
    Queue.approximate_number_of_messages_delayed = property(_count_delayed)  # type: ignore[assignment, method-assign]
    Queue.approximate_number_of_messages_not_visible = property(_count_not_visible)  # type: ignore[assignment, method-assign]
    Message.had_receipt_handle = _had_receipt_handle  # type: ignore[assignment, method-assign]
    SQSBackend.is_message_valid_based_on_retention_period = _is_retained  # type: ignore[assignment, method-assign]
    Queue.delete_message = _delete_message  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    mend()
    main()
