"""A worker node is drained, and stops (failure modes 1 and 2)."""

import time

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import never_internal
from tests.e2e.case import ClusterCase
from tests.e2e.cases.checks import nothing_failed
from tests.e2e.kube import APPS, COMPONENTS, docker, node_names
from tests.e2e.scene import Scene

_DRAIN_SECONDS = 180.0
_EVICTION_RETRY_SECONDS = 5.0
"""After a refusal: what kubectl waits (k8s.io/kubectl/pkg/drain)."""
_BACK_SECONDS = 180.0


async def drain_node(scene: Scene) -> float:
    """Drain a worker node by evictions, as `kubectl drain` does: budgets hold, and the drain ends."""
    await _spread(scene)
    node = await _busy_node(scene)
    since = scene.stage.breaks(f"drain {node}")
    refused = 0
    again: dict[str, float] = {}

    def drained() -> bool:
        nonlocal refused
        left = scene.kube.pods_on(node)
        for pod in left:
            uid = pod.metadata.uid
            if pod.metadata.deletion_timestamp is None and time.monotonic() >= again.get(uid, 0.0):
                again[uid] = time.monotonic() + _EVICTION_RETRY_SECONDS
                refused += not scene.kube.evict(pod)
        return not left

    await scene.do(scene.kube.cordon, node, closed=True)
    try:
        await scene.until(drained, f"{node} is empty", seconds=_DRAIN_SECONDS)
        scene.stage.recovered(f"{node} is drained")
        scene.stage.notes.append(f"{refused} evictions had to wait for a disruption budget")
        await scene.until_rolled_out()
    finally:
        await scene.do(scene.kube.cordon, node, closed=False)
    return since


async def stop_node(scene: Scene) -> float:
    """Stop a worker node with everything on it, as a machine that loses power; then start it again."""
    await _spread(scene)
    node = await _busy_node(scene)
    since = scene.stage.breaks(f"docker kill of {node}")
    await scene.do(docker, "kill", node)
    try:
        await scene.until(lambda: not scene.kube.is_node_ready(node), f"{node} is seen to be away", seconds=120)
        scene.stage.heals(f"{node} is seen to be away")

        def elsewhere() -> bool:
            return all(node_names(scene.kube.ready_pods(app)) - {node} for app in COMPONENTS)

        await scene.until(elsewhere, "every app runs elsewhere", seconds=120)
        await scene.stage.last(10)
    finally:
        await scene.do(docker, "start", node)
        await scene.until(lambda: scene.kube.is_node_ready(node), f"{node} is back", seconds=_BACK_SECONDS)
    scene.stage.heals(f"{node} is back")
    await scene.until_rolled_out()
    return since


async def _spread(scene: Scene) -> None:
    """Move a pod of each app whose pods are all on one node: nothing does that by itself after a drain."""
    for app in COMPONENTS:
        pods = await scene.do(scene.kube.ready_pods, app)
        if len(pods) > 1 and len(node_names(pods)) == 1:
            await scene.do(scene.kube.delete_pod, pods[0])
    await scene.until_rolled_out()


async def _busy_node(scene: Scene) -> str:
    """Return the worker node with the most pods of ours on it."""
    counts: dict[str, int] = {}
    for node in await scene.do(scene.kube.workers):
        pods = await scene.do(scene.kube.pods_on, node)
        counts[node] = sum(pod.metadata.namespace == APPS for pod in pods)
    if not counts or not max(counts.values()):
        raise LocalError("no worker node runs a pod of ours")
    return max(counts, key=lambda name: counts[name])


CASES = (
    ClusterCase(
        name="node_drained",
        breaks="a worker node drained",
        act=drain_node,
        felt=Felt.MARKED,
        budget_seconds=150,
        counted_from="the drain",
        checks=(nothing_failed,),
    ),
    ClusterCase(
        name="node_stopped",
        breaks="a worker node stopped (docker kill)",
        act=stop_node,
        felt=Felt.WRITES,
        budget_seconds=75,
        counted_from="the kill",
        checks=(never_internal,),
        settle_seconds=180.0,
        nodes=True,
    ),
)
