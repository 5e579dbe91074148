"""What lies in the cluster's queues, and messages that are no events."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from taskhub_core.ids import new_id
from taskhub_local.errors import LocalError
from taskhub_local.parts.sqs import CREDENTIALS, QUEUE, REGION
from tests.e2e.reach import ADDRESS, SQS_PORT

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

POISON = (
    "this is not JSON",
    json.dumps({"schema_version": 999, "event_id": str(new_id()), "type": "task.created"}),
    json.dumps([1, 2, 3]),
)
"""What the consumer must move to the DLQ, each with its reason."""


@contextmanager
def _client() -> "Iterator[SQSClient]":
    client = boto3.client(
        "sqs",
        endpoint_url=f"http://{ADDRESS}:{SQS_PORT}",
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1}),
    )
    with closing(client):
        try:
            yield client
        except (BotoCoreError, ClientError) as error:
            raise LocalError(f"ElasticMQ: {error}") from error


def messages(queue: str) -> tuple[int, int]:
    """Return how many messages wait, and how many somebody has in hand. Raises LocalError, as all here."""
    with _client() as client:
        url = client.get_queue_url(QueueName=queue)["QueueUrl"]
        found = client.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        )["Attributes"]
    return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


def send(bodies: Sequence[str]) -> None:
    """Send messages to the queue of events."""
    with _client() as client:
        url = client.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        for body in bodies:
            client.send_message(QueueUrl=url, MessageBody=body)


def ids(queue: str) -> set[str]:
    """Return the ids of some messages that wait, which go on waiting."""
    with _client() as client:
        url = client.get_queue_url(QueueName=queue)["QueueUrl"]
        found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return {message["MessageId"] for message in found.get("Messages", [])}


def empty(queue: str) -> None:
    """Delete every message, one by one: what ElasticMQ purges comes back with its next pod."""
    with _client() as client:
        url = client.get_queue_url(QueueName=queue)["QueueUrl"]
        while found := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
