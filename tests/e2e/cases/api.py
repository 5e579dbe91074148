"""API pods go away, are killed, run out of memory, and are rolled out badly and well (failure mode 1)."""

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import never_internal
from tests.e2e.case import ClusterCase
from tests.e2e.cases.checks import nothing_failed
from tests.e2e.kube import waiting_reasons
from tests.e2e.scene import Scene

_API = "api"
_SEEN_SECONDS = 120.0
_FEWEST = 2  # what the HPA always keeps; it may take away more than that meanwhile


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


async def run_out_of_memory(scene: Scene) -> float:
    """Roll out an API that may not have the memory it needs: killed at every start, it never takes over."""
    since = scene.stage.breaks("roll out an API with 24 MiB of memory")
    limits = ("--set", "resources.limits.memory=24Mi", "--set", "resources.requests.memory=24Mi")
    await scene.do(scene.helm.upgrade, _API, "--no-hooks", *limits)
    try:

        def in_a_loop() -> bool:
            reasons = [waiting_reasons(pod) for pod in scene.kube.pods(_API)]
            return any(
                "CrashLoopBackOff" in found and {"OOMKilled", "Error", "StartError"} & found for found in reasons
            )

        await scene.until(in_a_loop, "the new pod is in a crash loop", seconds=_SEEN_SECONDS)
        seen = {reason for pod in await scene.do(scene.kube.pods, _API) for reason in waiting_reasons(pod)}
        scene.stage.notes.append(f"seen: {', '.join(sorted(seen))}")
        await _old_ones_serve(scene)
    finally:
        await _roll_back(scene)
    scene.stage.recovered("rolled back")
    return since


async def roll_out_badly(scene: Scene) -> float:
    """Roll out an image that cannot be had, so that its pods never get ready; then roll back."""
    since = scene.stage.breaks("roll out an API image that does not exist")
    await scene.do(scene.helm.upgrade, _API, "--no-hooks", "--set", "image.tag=never-built")
    try:

        def stuck() -> bool:
            wanted = {"ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff"}
            return any(waiting_reasons(pod) & wanted for pod in scene.kube.pods(_API))

        await scene.until(stuck, "the new pod waits for its image", seconds=_SEEN_SECONDS)
        await scene.stage.last(5)
        await _old_ones_serve(scene)
    finally:
        await _roll_back(scene)
    scene.stage.recovered("rolled back")
    return since


async def _old_ones_serve(scene: Scene) -> None:
    ready = len(await scene.do(scene.kube.ready_pods, _API))
    if ready < _FEWEST:
        raise LocalError(f"only {ready} API pods serve while the bad rollout is stuck")


async def _roll_back(scene: Scene) -> None:
    await scene.do(scene.helm.rollback, _API, "--no-hooks")
    await scene.until_rolled_out([_API])
    scene.stage.heals("helm rollback")


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
    ClusterCase(
        name="bad_rollout",
        breaks="an API image that never gets ready",
        act=roll_out_badly,
        felt=Felt.MARKED,
        budget_seconds=120,
        counted_from="the rollout",
        checks=(nothing_failed,),
    ),
    ClusterCase(
        name="api_out_of_memory",
        breaks="an API that is out of memory at each start, in a crash loop",
        act=run_out_of_memory,
        felt=Felt.MARKED,
        budget_seconds=180,
        counted_from="the rollout",
        checks=(nothing_failed,),
    ),
)
