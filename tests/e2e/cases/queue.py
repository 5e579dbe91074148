"""ElasticMQ and consumers go away, and messages are poison (failure mode 5)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import writes_unharmed
from taskhub_local.faults.client import HttpCall
from taskhub_local.parts.sqs import DEAD_LETTER_QUEUE, QUEUE
from tests.e2e import queues
from tests.e2e.case import ClusterCase
from tests.e2e.cases.backing import delete_backing_pod, until_ready
from tests.e2e.operator import operator_of
from tests.e2e.scene import Scene

_SQS = "elasticmq"
_CONSUMER = "sqs-consumer"
_BACKLOG = 300


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
        await scene.until(lambda: queues.messages(QUEUE)[0] >= _BACKLOG, f"{_BACKLOG} messages wait", seconds=90)

    def at_work() -> int:
        return queues.messages(QUEUE)[1]

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
    await scene.do(queues.empty, DEAD_LETTER_QUEUE)
    since = scene.stage.breaks(f"send {len(queues.POISON)} messages that are no events")
    await scene.do(queues.send, queues.POISON)
    await scene.until(
        lambda: sum(queues.messages(DEAD_LETTER_QUEUE)) >= len(queues.POISON), "all of them are in the DLQ"
    )
    scene.stage.recovered("all of them are in the DLQ")
    async with operator_of(scene.stage.client, scene.stage.reach.database_url) as operator:
        seen = (await operator.raw(HttpCall("GET", "/v1/operator/dlq"))).raise_for_status().json()
        if seen["messages"] + seen["in_flight"] < len(queues.POISON):
            raise LocalError(f"an operator sees {seen['messages']} of {len(queues.POISON)} messages in the DLQ")
        await scene.until(
            lambda: queues.messages(DEAD_LETTER_QUEUE)[0] >= len(queues.POISON), "nobody looks at them any more"
        )
        before = await scene.do(queues.ids, DEAD_LETTER_QUEUE)
        answer = await operator.raw(HttpCall("POST", "/v1/operator/dlq/redrive", json={}))
        moved = answer.raise_for_status().json()["moved"]
    scene.stage.heals(f"an operator sent {moved} of them back")
    scene.stage.notes.append(f"{moved} redriven")
    if moved < len(queues.POISON):
        raise LocalError(f"the redrive moved {moved} of {len(queues.POISON)} messages")
    # The consumer sends each anew, with its reason: under an id of its own.
    await scene.until(
        lambda: len(queues.ids(DEAD_LETTER_QUEUE) - before) >= len(queues.POISON), "they are in the DLQ again"
    )
    await scene.do(queues.empty, DEAD_LETTER_QUEUE)
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
