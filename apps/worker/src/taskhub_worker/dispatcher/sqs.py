"""The dispatcher's side of SQS: send events in batches, and read how many wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import orjson
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

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
    """One queue, by name. boto3's clients may be used from several threads."""

    def __init__(self, settings: QueueSettings, name: str, *, connections: int = 1) -> None:
        self.name = name
        self._url: str | None = None
        self._client: SQSClient = boto3.client(
            "sqs",
            endpoint_url=None if settings.sqs_endpoint_url is None else str(settings.sqs_endpoint_url),
            region_name=settings.aws_region,
            config=Config(
                connect_timeout=settings.sqs_connect_timeout_seconds,
                read_timeout=settings.sqs_read_timeout_seconds,
                # Whoever calls has pauses of its own; boto's hidden retries would multiply every timeout.
                retries={"mode": "standard", "total_max_attempts": 1},
                max_pool_connections=connections,
            ),
        )

    def send(self, rows: Sequence[OutboxRow], bodies: Sequence[bytes]) -> Sent:
        """One request. Raises DependencyAway when SQS did not answer it: some may have arrived then."""
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": body.decode()} for number, body in enumerate(bodies)
        ]
        try:
            answer = self._client.send_message_batch(QueueUrl=self._queue_url(), Entries=entries)
        except (BotoCoreError, ClientError) as error:
            raise self._away(error) from error
        taken = [rows[int(entry["Id"])] for entry in answer.get("Successful", [])]
        refused = [Refused(rows[int(entry["Id"])], entry["Code"]) for entry in answer.get("Failed", [])]
        return Sent(taken, refused)

    def counts(self) -> QueueCounts:
        """How many messages there are. Raises DependencyAway."""
        try:
            attributes = self._client.get_queue_attributes(
                QueueUrl=self._queue_url(),
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",
                    "ApproximateNumberOfMessagesDelayed",
                ],
            )["Attributes"]
        except (BotoCoreError, ClientError) as error:
            raise self._away(error) from error
        return QueueCounts(
            visible=int(attributes["ApproximateNumberOfMessages"]),
            in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
        )

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def _queue_url(self) -> str:
        if self._url is None:
            self._url = self._client.get_queue_url(QueueName=self.name)["QueueUrl"]
        return self._url

    def _away(self, error: Exception) -> DependencyAway:
        self._url = None  # the queue may have been made anew
        return DependencyAway(f"SQS queue {self.name}: {error!r}")


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
