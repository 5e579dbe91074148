"""ElasticMQ and consumers go away, and messages are poison (failure mode 5)."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from taskhub_core.ids import new_id
from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import writes_unharmed
from taskhub_local.faults.client import HttpCall
from taskhub_local.parts.sqs import CREDENTIALS, DEAD_LETTER_QUEUE, QUEUE, REGION
from tests.e2e.case import ClusterCase
from tests.e2e.cases.backing import delete_backing_pod, until_ready
from tests.e2e.operator import operator_of
from tests.e2e.reach import ADDRESS, SQS_PORT
from tests.e2e.scene import Scene

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_SQS = "elasticmq"
_CONSUMER = "sqs-consumer"
_BACKLOG = 300
_POISON = (
    "this is not JSON",
    json.dumps({"schema_version": 999, "event_id": str(new_id()), "type": "task.created"}),
    json.dumps([1, 2, 3]),
)


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


def _messages(queue: str) -> tuple[int, int]:
    """How many messages wait, and how many a consumer has in hand."""
    with _client() as client:
        url = client.get_queue_url(QueueName=queue)["QueueUrl"]
        found = client.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        )["Attributes"]
    return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


def _send(bodies: tuple[str, ...]) -> None:
    with _client() as client:
        url = client.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        for body in bodies:
            client.send_message(QueueUrl=url, MessageBody=body)


def _ids(queue: str) -> set[str]:
    """The ids of some messages that wait, which go on waiting."""
    with _client() as client:
        url = client.get_queue_url(QueueName=queue)["QueueUrl"]
        found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return {message["MessageId"] for message in found.get("Messages", [])}


def _empty(queue: str) -> None:
    """Delete every message, one by one: what ElasticMQ purges comes back with its next pod."""
    with _client() as client:
        url = client.get_queue_url(QueueName=queue)["QueueUrl"]
        while found := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


async def delete_elasticmq(scene: Scene) -> float:
    """Delete the pod; the next one has the messages that its volume holds.

    Not at once: ElasticMQ says that it has a message before its disk has it. SQS does not, and a case must not be
    judged by what only the stand-in loses.
    """
    pod = await delete_backing_pod(scene, _SQS, at_once=False)
    await scene.until(lambda: scene.kube.is_gone(pod), "the pod is gone")
    return await until_ready(scene, _SQS)


async def delete_consumers(scene: Scene) -> float:
    """Let a backlog grow without any consumer, then delete each consumer at once while they work it off."""
    async with _without_consumers(scene):
        await scene.until(lambda: _messages(QUEUE)[0] >= _BACKLOG, f"{_BACKLOG} messages wait", seconds=90)

    def at_work() -> int:
        return _messages(QUEUE)[1]

    held = await scene.until(at_work, "a consumer has messages in hand")
    pods = await scene.do(scene.kube.pods, _CONSUMER)
    since = scene.stage.breaks(f"delete all {len(pods)} consumers at once, with {held} messages in hand")
    scene.stage.notes.append(f"{held} messages in hand at the deletion")
    for pod in pods:
        await scene.do(scene.kube.delete_pod, pod, at_once=True)
    await scene.until_rolled_out([_CONSUMER])
    return since


@asynccontextmanager
async def _without_consumers(scene: Scene) -> AsyncIterator[None]:
    replicas = (await scene.do(scene.kube.deployment, _CONSUMER)).spec.replicas
    scene.stage.breaks("no consumer runs")
    await scene.do(scene.kube.scale, _CONSUMER, 0)
    try:
        yield
    finally:
        await scene.do(scene.kube.scale, _CONSUMER, replicas)


async def poison(scene: Scene) -> float:
    """Messages that are no events go to the DLQ and stop nobody; an operator sends them back, and they return there."""
    await scene.do(_empty, DEAD_LETTER_QUEUE)
    since = scene.stage.breaks(f"send {len(_POISON)} messages that are no events")
    await scene.do(_send, _POISON)
    await scene.until(lambda: sum(_messages(DEAD_LETTER_QUEUE)) >= len(_POISON), "all of them are in the DLQ")
    scene.stage.recovered("all of them are in the DLQ")
    async with operator_of(scene.stage.client, scene.stage.reach.database_url) as operator:
        seen = (await operator.raw(HttpCall("GET", "/v1/operator/dlq"))).raise_for_status().json()
        if seen["messages"] + seen["in_flight"] < len(_POISON):
            raise LocalError(f"an operator sees {seen['messages']} of {len(_POISON)} messages in the DLQ")
        await scene.until(lambda: _messages(DEAD_LETTER_QUEUE)[0] >= len(_POISON), "nobody looks at them any more")
        before = await scene.do(_ids, DEAD_LETTER_QUEUE)
        answer = await operator.raw(HttpCall("POST", "/v1/operator/dlq/redrive", json={}))
        moved = answer.raise_for_status().json()["moved"]
    scene.stage.heals(f"an operator sent {moved} of them back")
    scene.stage.notes.append(f"{moved} redriven")
    if moved < len(_POISON):
        raise LocalError(f"the redrive moved {moved} of {len(_POISON)} messages")
    # The consumer sends each anew, with its reason: under an id of its own.
    await scene.until(lambda: len(_ids(DEAD_LETTER_QUEUE) - before) >= len(_POISON), "they are in the DLQ again")
    await scene.do(_empty, DEAD_LETTER_QUEUE)
    return since


CASES = (
    ClusterCase(
        name="poison_message",
        breaks="messages that are no events, and their redrive",
        act=poison,
        felt=Felt.MARKED,
        budget_seconds=30,
        counted_from="their arrival",
        checks=(writes_unharmed,),
    ),
    ClusterCase(
        name="elasticmq_deleted",
        breaks="ElasticMQ's pod deleted",
        act=delete_elasticmq,
        felt=Felt.EVENTS,
        budget_seconds=20,
        counted_from="ElasticMQ is ready",
        checks=(writes_unharmed,),
    ),
    ClusterCase(
        name="consumer_deleted",
        breaks=f"all consumers deleted at once with a backlog of {_BACKLOG}",
        act=delete_consumers,
        felt=Felt.EVENTS,
        budget_seconds=60,
        counted_from="the deletion",
        checks=(writes_unharmed,),
    ),
)
