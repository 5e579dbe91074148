"""The local SQS is as durable as the real one for as long as it runs: what it took, it hands out."""

from typing import Any

import pytest
from moto.sqs.models import Message, Queue, SQSBackend

from taskhub_local.parts import sqs_server


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> SQSBackend:
    for owner, name in [
        (Queue, "messages"),
        (Queue, "delete_message"),
        (Queue, "approximate_number_of_messages_delayed"),
        (Queue, "approximate_number_of_messages_not_visible"),
        (Message, "had_receipt_handle"),
        (SQSBackend, "is_message_valid_based_on_retention_period"),
    ]:
        monkeypatch.setattr(owner, name, getattr(owner, name))  # put back what moto has after the test
    sqs_server.mend()
    backend = SQSBackend("us-east-1", "123456789012")
    backend.create_queue("events", {})
    return backend


def test_a_message_that_is_sent_while_another_is_deleted_is_not_lost(
    backend: SQSBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto's own delete puts a copy of the list in place, without what was added meanwhile (found by `make faults`)."""
    backend.send_message("events", "first")
    (first,) = _receive(backend)
    sent = ["second"]
    backend.send_message("events", "second")

    def after_another_thread_has_sent(queue: Queue, name: str, value: Any) -> None:
        if name == "_messages":
            sent.append("third")
            backend.send_message("events", "third")
        object.__setattr__(queue, name, value)

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "__setattr__", after_another_thread_has_sent, raising=False)
        backend.delete_message("events", str(first.receipt_handle))
    assert [message.body for message in _receive(backend)] == sent
    backend.delete_message("events", str(first.receipt_handle))


def test_every_message_is_counted_once_by_where_it_is(backend: SQSBackend) -> None:
    for body in ("in flight", "visible", "visible too"):
        backend.send_message("events", body)
    backend.send_message("events", "delayed", delay_seconds=60)
    (taken,) = backend.receive_message("events", 1, 0, 30)
    counts = backend.get_queue_attributes("events", ["All"])
    assert counts["ApproximateNumberOfMessages"] == 2
    assert counts["ApproximateNumberOfMessagesNotVisible"] == 1
    assert counts["ApproximateNumberOfMessagesDelayed"] == 1
    backend.change_message_visibility("events", str(taken.receipt_handle), 0)
    assert [message.body for message in _receive(backend)] == ["in flight", "visible", "visible too"]
    backend.delete_message("events", str(taken.receipt_handle))  # the handle of an earlier receive still deletes
    assert backend.get_queue_attributes("events", ["All"])["ApproximateNumberOfMessagesNotVisible"] == 2


def _receive(backend: SQSBackend) -> Any:
    return backend.receive_message("events", 10, 0, 30)
