"""The dispatcher's side of SQS: send events in batches, and read how many wait."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from taskhub_core.events.outbox import OutboxRow
from taskhub_core.settings import QueueSettings
from taskhub_worker.dispatcher.loop import DependencyAway

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

ENTRIES_A_REQUEST = 10
BYTES_A_REQUEST = 262_144


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that SQS did not take, while it took others."""

    row: OutboxRow
    code: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one request."""

    taken: Sequence[OutboxRow]
    refused: Sequence[Refused]


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """A queue in numbers, as far as SQS knows them."""

    visible: int
    in_flight: int
    delayed: int


class EventQueue:
    """One queue, by name. boto3's clients may be used from several threads.

    boto3 takes about as long to import as half of the rest of the dispatcher, so it is imported by the first call: the
    jobs that wait for a new dispatcher do not wait for that, too.
    """

    def __init__(self, settings: QueueSettings, name: str, *, connections: int = 1) -> None:
        self.name = name
        self._settings = settings
        self._connections = connections
        self._lock = threading.Lock()
        self._made: SQSClient | None = None
        self._url: str | None = None

    def prepare(self) -> None:
        """Makes the client, without a request; for who would not like to wait for that later."""
        with self._lock:
            if self._made is None:
                self._made = self._make_client()

    def send(self, rows: Sequence[OutboxRow], bodies: Sequence[bytes]) -> Sent:
        """One request. Raises DependencyAway when SQS did not answer it: some may have arrived then."""
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": body.decode()} for number, body in enumerate(bodies)
        ]
        with self._client() as client:
            answer = client.send_message_batch(QueueUrl=self._queue_url(client), Entries=entries)
        taken = [rows[int(entry["Id"])] for entry in answer.get("Successful", [])]
        refused = [Refused(rows[int(entry["Id"])], entry["Code"]) for entry in answer.get("Failed", [])]
        return Sent(taken, refused)

    def counts(self) -> QueueCounts:
        """How many messages there are. Raises DependencyAway."""
        with self._client() as client:
            attributes = client.get_queue_attributes(
                QueueUrl=self._queue_url(client),
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",
                    "ApproximateNumberOfMessagesDelayed",
                ],
            )["Attributes"]
        return QueueCounts(
            visible=int(attributes["ApproximateNumberOfMessages"]),
            in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
        )

    def close(self) -> None:
        """Closes its connections."""
        if self._made is not None:
            self._made.close()

    @contextmanager
    def _client(self) -> Iterator["SQSClient"]:
        """What goes wrong between SQS and us inside the block is a DependencyAway."""
        from botocore.exceptions import BotoCoreError, ClientError

        self.prepare()
        assert self._made is not None
        try:
            yield self._made
        except (BotoCoreError, ClientError) as error:
            self._url = None  # the queue may have been made anew
            raise DependencyAway(f"SQS queue {self.name}: {error!r}") from error

    def _make_client(self) -> "SQSClient":
        import boto3
        from botocore.config import Config

        settings = self._settings
        return boto3.client(
            "sqs",
            endpoint_url=None if settings.sqs_endpoint_url is None else str(settings.sqs_endpoint_url),
            region_name=settings.aws_region,
            config=Config(
                connect_timeout=settings.sqs_connect_timeout_seconds,
                read_timeout=settings.sqs_read_timeout_seconds,
                # Whoever calls has pauses of its own; boto's hidden retries would multiply every timeout.
                retries={"mode": "standard", "total_max_attempts": 1},
                max_pool_connections=self._connections,
            ),
        )

    def _queue_url(self, client: "SQSClient") -> str:
        if self._url is None:
            self._url = client.get_queue_url(QueueName=self.name)["QueueUrl"]
        return self._url


def requests(rows: Sequence[OutboxRow]) -> tuple[list[tuple[list[OutboxRow], list[bytes]]], list[OutboxRow]]:
    """Groups rows into requests within SQS's limits. The second part: rows that are too large for any request."""
    groups: list[tuple[list[OutboxRow], list[bytes]]] = []
    too_large: list[OutboxRow] = []
    size = 0
    for row in rows:
        body = orjson.dumps(row.message)
        if len(body) > BYTES_A_REQUEST:
            too_large.append(row)
            continue
        if not groups or len(groups[-1][0]) == ENTRIES_A_REQUEST or size + len(body) > BYTES_A_REQUEST:
            groups.append(([], []))
            size = 0
        groups[-1][0].append(row)
        groups[-1][1].append(body)
        size += len(body)
    return groups, too_large
