"""API pods go away, and are killed (failure mode 1)."""

from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import never_internal
from tests.e2e.case import ClusterCase
from tests.e2e.cases.checks import nothing_failed
from tests.e2e.scene import Scene

_API = "api"


async def delete_pods(scene: Scene) -> float:
    """Delete each API pod in turn, as a node upgrade would; the next one when its predecessor is replaced."""
    since = 0.0
    for former in await scene.do(scene.kube.ready_pods, _API):
        began = scene.stage.breaks(f"delete API pod {former.metadata.name}")
        since = since or began
        await scene.do(scene.kube.delete_pod, former)
        replaced_at = await scene.until_replaced(former, _API)
        scene.stage.notes.append(f"a pod was replaced in {replaced_at - began:.0f} s")
    return since


async def kill_container(scene: Scene) -> float:
    """kill -9 of an API container, from its node: the pod stays, and the kubelet starts the container again."""
    pod = await scene.do(scene.kube.a_pod, _API)
    restarts = await scene.do(scene.kube.restarts, pod)
    since = scene.stage.breaks(f"kill -9 of the container of {pod.metadata.name}")
    await scene.do(scene.kube.kill, pod)
    await scene.until(lambda: scene.kube.restarts(pod) > restarts, "the container was started again")
    await scene.until_rolled_out([_API])
    return since


CASES = (
    ClusterCase(
        name="api_pod_deleted",
        breaks="each API pod deleted in turn",
        act=delete_pods,
        felt=Felt.WRITES,
        budget_seconds=1,
        counted_from="the first deletion",
        checks=(nothing_failed,),
    ),
    ClusterCase(
        name="api_container_killed",
        breaks="kill -9 of an API container",
        act=kill_container,
        felt=Felt.WRITES,
        budget_seconds=5,
        counted_from="the kill",
        checks=(never_internal,),
        nodes=True,
    ),
)
