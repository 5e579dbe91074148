"""SQS as TaskHub uses it: batches in and out, visibility, and what operators do with the dead-letter queue."""

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from taskhub_core.errors import Unavailable
from taskhub_core.settings import QueueSettings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_BATCH = 10
_MAX_BATCH_BYTES = 250_000  # the limit of a batch is 256 KiB where it is smallest, message attributes included
_REASON, _DETAIL = "taskhub_reason", "taskhub_detail"
_PEEK_VISIBILITY_SECONDS = 5
_MOVE_VISIBILITY_SECONDS = 30


class QueueUnavailable(Unavailable):
    """SQS does not answer, or not for this queue."""

    def __init__(self, message: str) -> None:
        super().__init__(message, dependency="sqs")


@dataclass(frozen=True, slots=True)
class Message:
    """A received message. The receipt is what deletes it or changes its visibility."""

    id: str
    body: str
    receipt: str = field(repr=False)
    receive_count: int
    sent_at: datetime
    reason: str | None = None
    """Why the consumer moved it to the DLQ. None for one that SQS moved after too many receives."""
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send. The id only names it within a batch, and in the answer."""

    id: str
    body: str
    reason: str | None = None
    detail: str | None = None

    def size(self) -> int:
        """Bytes, as SQS counts them (or a few more)."""
        return len(self.body.encode()) + len((self.reason or "") + (self.detail or "")) * 4 + 100


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """SQS's approximate numbers of messages."""

    visible: int
    in_flight: int
    delayed: int


class RedriveMethod(enum.StrEnum):
    """How messages went back from the DLQ."""

    MOVE_TASK = "move_task"
    """SQS moves them by itself, from now on."""
    MESSAGE_BY_MESSAGE = "message_by_message"
    """They were sent to the queue and then deleted from the DLQ."""


@dataclass(frozen=True, slots=True)
class Redriven:
    """What a redrive did, or set going (then `moved` is the number that SQS expects to move)."""

    method: RedriveMethod
    moved: int


def make_sqs_client(settings: QueueSettings, *, wait_seconds: int = 0) -> "SQSClient":
    """A client with a limit on every wait and a single attempt a call. It may be shared by threads."""
    return boto3.client(
        "sqs",
        endpoint_url=None if settings.sqs_endpoint_url is None else str(settings.sqs_endpoint_url),
        region_name=settings.aws_region,
        config=Config(
            connect_timeout=settings.sqs_connect_timeout_seconds,
            read_timeout=settings.sqs_read_timeout_seconds + wait_seconds,
            retries={"total_max_attempts": 1, "mode": "standard"},
            tcp_keepalive=True,
        ),
    )


class EventQueue:
    """One queue, by its name. Every method raises QueueUnavailable when SQS does not do what it is asked.

    With a pool, calls for more messages than one call can carry are under way at the same time.
    """

    def __init__(self, client: "SQSClient", name: str, *, pool: Executor | None = None) -> None:
        self._client = client
        self._map: Callable[..., Iterable[Any]] = map if pool is None else pool.map
        self._url: str | None = None
        self.name = name

    def send(self, messages: Sequence[Outgoing]) -> dict[str, str]:
        """Sends the messages and returns those that SQS did not take, by id, with its reason."""
        failed: dict[str, str] = {}
        for batch in _batches(messages):
            entries = [_entry(number, message) for number, message in enumerate(batch)]
            answer = self._call("send_message_batch", Entries=entries)
            for problem in answer.get("Failed", []):
                failed[batch[int(problem["Id"])].id] = f"{problem['Code']}: {problem.get('Message', '')}"
        return failed

    def receive(self, *, visibility_seconds: int, wait_seconds: int = 0, limit: int = MAX_BATCH) -> list[Message]:
        """Up to ten messages, which nobody else gets for `visibility_seconds`; waits for the first one."""
        answer = self._call(
            "receive_message",
            MaxNumberOfMessages=min(limit, MAX_BATCH),
            WaitTimeSeconds=wait_seconds,
            VisibilityTimeout=visibility_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            MessageAttributeNames=[_REASON, _DETAIL],
        )
        return [_message(raw) for raw in answer.get("Messages", [])]

    def receive_more(self, calls: int, *, visibility_seconds: int) -> list[Message]:
        """What that many receives give which wait for nothing. One that fails is as good as one that finds nothing."""

        def receive(_: int) -> list[Message]:
            with suppress(QueueUnavailable):
                return self.receive(visibility_seconds=visibility_seconds)
            return []

        return [message for received in self._map(receive, range(calls)) for message in received]

    def delete(self, messages: Sequence[Message]) -> int:
        """Deletes the messages; returns how many SQS did not delete: those come again, which is harmless."""

        def delete(batch: Sequence[Message]) -> int:
            entries = [{"Id": str(number), "ReceiptHandle": message.receipt} for number, message in enumerate(batch)]
            return len(self._call("delete_message_batch", Entries=entries).get("Failed", []))

        return sum(self._map(delete, batched(messages, MAX_BATCH)))

    def set_visibility(self, messages: Sequence[Message], seconds: int) -> int:
        """Keeps the messages for `seconds` from now, or gives them back (0); returns how many are no longer ours."""
        failed = 0
        for batch in batched(messages, MAX_BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": message.receipt, "VisibilityTimeout": seconds}
                for number, message in enumerate(batch)
            ]
            failed += len(self._call("change_message_visibility_batch", Entries=entries).get("Failed", []))
        return failed

    def counts(self) -> QueueCounts:
        """How many messages there are, about."""
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        )
        attributes = self._call("get_queue_attributes", AttributeNames=list(names))["Attributes"]
        return QueueCounts(*(int(attributes[name]) for name in names))

    def peek(self, *, limit: int = MAX_BATCH) -> list[Message]:
        """Looks at up to `limit` messages and gives them back at once. For the DLQ: looking counts as a receive."""
        seen: dict[str, Message] = {}
        while len(seen) < limit:
            wanted = min(limit - len(seen), MAX_BATCH)
            received = self.receive(visibility_seconds=_PEEK_VISIBILITY_SECONDS, limit=wanted)
            new = [message for message in received if message.id not in seen]
            seen |= {message.id: message for message in new}
            if not new:
                break
        self.set_visibility(list(seen.values()), 0)
        return list(seen.values())

    def redrive_to(self, target: "EventQueue", *, limit: int = 10_000) -> Redriven:
        """Moves this dead-letter queue's messages back to the queue they came from.

        SQS does it itself where it can (StartMessageMoveTask). Elsewhere they are moved message by message: sent first
        and deleted afterwards, so a crash between the two leaves one twice, which the inbox makes harmless.
        """
        expected = self.counts().visible
        if self._start_move_task(target):
            return Redriven(RedriveMethod.MOVE_TASK, expected)
        moved = 0
        while moved < min(limit, expected):
            received = self.receive(visibility_seconds=_MOVE_VISIBILITY_SECONDS, limit=min(limit, expected) - moved)
            if not received:
                break
            failed = target.send([Outgoing(message.id, message.body) for message in received])
            sent = [message for message in received if message.id not in failed]
            self.delete(sent)
            self.set_visibility([message for message in received if message.id in failed], 0)
            moved += len(sent)
            if failed:
                break
        return Redriven(RedriveMethod.MESSAGE_BY_MESSAGE, moved)

    def _start_move_task(self, target: "EventQueue") -> bool:
        source, destination = self._arn(), target._arn()
        try:
            self._client.start_message_move_task(SourceArn=source, DestinationArn=destination)
        except ClientError as error:
            # "Not one of my operations", as AWS, ElasticMQ and moto say it. Everything else is a refusal to report.
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            code = error.response["Error"].get("Code", "")
            if status in {404, 405, 500, 501} or code.endswith(("UnsupportedOperation", "InvalidAction")):
                return False
            raise QueueUnavailable(f"SQS did not start to move {self.name}: {error}") from error
        except BotoCoreError as error:
            raise QueueUnavailable(f"SQS did not answer for {self.name}: {error}") from error
        return True

    def _arn(self) -> str:
        attributes = self._call("get_queue_attributes", AttributeNames=["QueueArn"])["Attributes"]
        return str(attributes["QueueArn"])

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            if self._url is None:
                self._url = self._client.get_queue_url(QueueName=self.name)["QueueUrl"]
            return getattr(self._client, operation)(QueueUrl=self._url, **arguments)
        except ClientError as error:
            self._url = None  # a queue that was deleted and made again may have another address
            raise QueueUnavailable(f"SQS refused {operation} on {self.name}: {error}") from error
        except BotoCoreError as error:
            raise QueueUnavailable(f"SQS did not answer {operation} on {self.name}: {error}") from error


def _batches(messages: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    size = 0
    for message in messages:
        if batch and (len(batch) == MAX_BATCH or size + message.size() > _MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += message.size()
    if batch:
        yield batch


def _entry(number: int, message: Outgoing) -> dict[str, Any]:
    attributes = {_REASON: message.reason, _DETAIL: message.detail}
    return {
        "Id": str(number),
        "MessageBody": message.body,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
        },
    }


def _message(raw: Any) -> Message:
    attributes = raw.get("MessageAttributes", {})
    return Message(
        id=raw["MessageId"],
        body=raw["Body"],
        receipt=raw["ReceiptHandle"],
        receive_count=int(raw["Attributes"]["ApproximateReceiveCount"]),
        sent_at=datetime.fromtimestamp(int(raw["Attributes"]["SentTimestamp"]) / 1_000, UTC),
        reason=attributes.get(_REASON, {}).get("StringValue"),
        detail=attributes.get(_DETAIL, {}).get("StringValue"),
    )
