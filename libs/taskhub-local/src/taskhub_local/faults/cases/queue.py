"""SQS goes away and stands still, consumers die, and a message is poison (failure mode 5)."""

import json
from contextlib import closing
from typing import TYPE_CHECKING

import boto3

from taskhub_core.ids import new_id
from taskhub_local.faults.case import Felt, Need
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import writes_unharmed
from taskhub_local.faults.proxy import Mode
from taskhub_local.faults.stage import Stage
from taskhub_local.parts.app import App
from taskhub_local.parts.sqs import CREDENTIALS, DEAD_LETTER_QUEUE, QUEUE, REGION

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_SQS = "sqs"
_CONSUMER = App.CONSUMER.value
_AWAY_SECONDS = 10.0
_POISON = (
    "this is not JSON",
    json.dumps({"schema_version": 999, "event_id": str(new_id()), "type": "task.created"}),
    json.dumps({"schema_version": 1, "type": "task.created"}),
    json.dumps([1, 2, 3]),
)


def _client(stage: Stage) -> "SQSClient":
    return boto3.client(
        "sqs",
        endpoint_url=stage.target.describe().part(_SQS).url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


def _messages(client: "SQSClient", queue: str) -> tuple[int, int]:
    """How many messages wait, and how many a consumer has in hand."""
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    attributes = client.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"]), int(attributes["ApproximateNumberOfMessagesNotVisible"])


async def until_queue_is_empty(stage: Stage) -> None:
    """Wait until every message was consumed, those in hand included."""
    with closing(_client(stage)) as client:
        await stage.until(lambda: _messages(client, QUEUE) == (0, 0), seconds=60, what="the queue is empty")


async def sqs_away(stage: Stage) -> float:
    """Refuse connections to SQS. (The server behind is well: killing moto would lose messages, which SQS does not.)"""
    stage.breaks(f"refuse connections to SQS for {_AWAY_SECONDS:g} s")
    stage.host.sqs.set_mode(Mode.REFUSE)
    try:
        await stage.last(_AWAY_SECONDS)
    finally:
        stage.host.sqs.set_mode(Mode.PASS)
    return stage.heals("SQS is back")


async def freeze_sqs(stage: Stage) -> float:
    """SIGSTOP of the SQS server: connections are taken, and nothing answers."""
    return await stage.freezes(_SQS, "SQS", _AWAY_SECONDS)


async def kill_consumer(stage: Stage) -> float:
    """kill -9 of the consumer while it has a batch in hand: the batch comes back when its visibility ends."""
    return await _kill_in_the_middle(stage, _CONSUMER)


async def kill_consumers_in_turn(stage: Stage) -> float:
    """kill -9 of one of two consumers, then of the other, with batches in hand."""
    async with stage.host.another(App.CONSUMER):
        since = 0.0
        for name in (_CONSUMER, f"{_CONSUMER}-2"):
            since = await _kill_in_the_middle(stage, name)
        await stage.last(5)  # with both running again, and then the second one leaves in good order
        return since


async def _kill_in_the_middle(stage: Stage, name: str) -> float:
    with closing(_client(stage)) as client:
        held = await stage.until(lambda: _messages(client, QUEUE)[1], seconds=60, what="a consumer has a batch in hand")
    since = stage.breaks(f"kill -9 of {name} with {held} messages in hand")
    stage.notes.append(f"{held} messages in hand at the kill")
    former = stage.target.kill(name)
    await stage.until_replaced(name, former.pid)
    return since


async def poison_queue(stage: Stage) -> float:
    """Put messages into the queue that are no events: they go to the DLQ, and stop nobody."""
    with closing(_client(stage)) as client:
        before = sum(_messages(client, DEAD_LETTER_QUEUE))
        url = client.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        since = stage.breaks(f"send {len(_POISON)} messages that are no events")
        for body in _POISON:
            client.send_message(QueueUrl=url, MessageBody=body)
        wanted = before + len(_POISON)
        await stage.until(
            lambda: sum(_messages(client, DEAD_LETTER_QUEUE)) >= wanted, seconds=60, what="all of them are in the DLQ"
        )
    stage.recovered("all of them are in the DLQ")
    return since


_HOST = frozenset({Need.HOST})

CASES = (
    case(
        "sqs-away",
        f"connections to SQS refused for {_AWAY_SECONDS:g} s",
        sqs_away,
        felt=Felt.EVENTS,
        checks=(writes_unharmed,),
        needs=_HOST,
    ),
    case(
        "sqs-freeze",
        f"SQS frozen for {_AWAY_SECONDS:g} s",
        freeze_sqs,
        felt=Felt.EVENTS,
        checks=(writes_unharmed,),
        quick=True,
    ),
    case(
        "consumer-kill",
        "kill -9 of the consumer in the middle of a batch",
        kill_consumer,
        felt=Felt.EVENTS,
        checks=(writes_unharmed,),
        needs=_HOST,
        quick=True,
    ),
    case(
        "consumers-in-turn",
        "kill -9 of each of two consumers, in turn",
        kill_consumers_in_turn,
        felt=Felt.EVENTS,
        checks=(writes_unharmed,),
        needs=_HOST,
    ),
    case(
        "poison-message",
        "messages that are no events",
        poison_queue,
        felt=Felt.MARKED,
        checks=(writes_unharmed,),
        quick=True,
    ),
)
