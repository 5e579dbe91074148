"""SQS, as moto's server process. It keeps messages in memory; queues are made again after every start."""

import json
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import boto3
from botocore.config import Config

from taskhub_local.parts.base import Part, PartFolders
from taskhub_local.ports import HOST

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

QUEUE = "taskhub-events"
DEAD_LETTER_QUEUE = "taskhub-events-dlq"
REGION = "us-east-1"
MAX_RECEIVE_COUNT = 5
# The server accepts any credentials, but the client insists on having some.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}


class SqsPart(Part):
    """An SQS server on loopback with the event queue and its dead-letter queue."""

    stop_signals = ((signal.SIGTERM, 5.0),)

    def __init__(
        self, folders: PartFolders, port: int, *, name: str = "sqs", environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(name, folders, environment=environment)
        self.port = port

    @property
    def url(self) -> str:
        """The endpoint of the service."""
        return f"http://{HOST}:{self.port}"

    def command(self) -> Sequence[str]:
        """The server, in a process of its own."""
        return [sys.executable, "-m", "taskhub_local.parts.sqs_server", "-H", HOST, "-p", str(self.port)]

    def is_ready(self) -> bool:
        """Whether its health page answers."""
        try:
            with urlopen(f"{self.url}/moto-api/data.json", timeout=2) as answer:  # noqa: S310 - our own loopback URL
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def after_ready(self) -> None:
        """Create the two queues."""
        self.create_queues(QUEUE, DEAD_LETTER_QUEUE)

    def create_queues(self, queue: str, dead_letter_queue: str) -> None:
        """Create a queue whose messages move to another one after five receives without a delete."""
        client = self.client()
        target = client.create_queue(QueueName=dead_letter_queue)["QueueUrl"]
        arn = client.get_queue_attributes(QueueUrl=target, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = {"deadLetterTargetArn": arn, "maxReceiveCount": str(MAX_RECEIVE_COUNT)}
        client.create_queue(QueueName=queue, Attributes={"RedrivePolicy": json.dumps(redrive)})
        client.close()

    def delete_queues(self, *names: str) -> None:
        """Delete queues by name."""
        client = self.client()
        for name in names:
            client.delete_queue(QueueUrl=client.get_queue_url(QueueName=name)["QueueUrl"])
        client.close()

    def client(self) -> "SQSClient":
        """Return a client of this server."""
        return boto3.client(
            "sqs",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(connect_timeout=2, read_timeout=30, retries={"max_attempts": 2}),
        )
