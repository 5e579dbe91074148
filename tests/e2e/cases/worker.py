"""Worker pods go away or stand still in the middle of a job (failure mode 2)."""

from kubernetes.client import V1Pod

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import writes_unharmed
from tests.e2e.case import ClusterCase
from tests.e2e.cases.long_job import Running, start_long_job, until_elsewhere
from tests.e2e.scene import Scene

_WORKER = "worker"
_DISPATCHER = "dispatcher"


async def delete_worker(scene: Scene) -> float:
    """Delete the worker pod that runs a job: it gives the job back before it ends, and another one goes on with it."""
    running = await start_long_job(scene)
    pod = await _pod_of(scene, running)
    since = scene.stage.breaks(f"delete worker pod {pod.metadata.name} in the middle of a job")
    await scene.do(scene.kube.delete_pod, pod)
    await until_elsewhere(scene, running)
    await scene.until_replaced(pod, _WORKER)
    return since


async def kill_worker(scene: Scene) -> float:
    """kill -9 of the worker that runs a job: nobody gives anything back, so its lease has to run out."""
    running = await start_long_job(scene)
    pod = await _pod_of(scene, running)
    since = scene.stage.breaks(f"kill -9 of the container of {pod.metadata.name} in the middle of a job")
    await scene.do(scene.kube.kill, pod)
    await until_elsewhere(scene, running)
    await scene.until_rolled_out([_WORKER])
    return since


async def freeze_worker(scene: Scene) -> float:
    """Freeze the worker that runs a job, from its node; when the job is elsewhere the worker wakes up, too late."""
    running = await start_long_job(scene)
    pod = await _pod_of(scene, running)
    since = scene.stage.breaks(f"freeze the container of {pod.metadata.name} in the middle of a job")
    await scene.do(scene.kube.freeze, pod)
    try:
        await until_elsewhere(scene, running)
    finally:
        # Unless the kubelet was faster: then the container that was frozen is gone.
        await scene.do(scene.kube.thaw, pod)
    scene.stage.heals("the worker wakes up")
    await scene.until_rolled_out([_WORKER])
    return since


async def delete_dispatchers(scene: Scene) -> float:
    """Delete every dispatcher pod at once, without any time to end."""
    pods = await scene.do(scene.kube.ready_pods, _DISPATCHER)
    since = scene.stage.breaks(f"delete all {len(pods)} dispatcher pods at once")
    for pod in pods:
        await scene.do(scene.kube.delete_pod, pod, at_once=True)
    await scene.until_rolled_out(["worker-dispatcher"])
    return since


async def _pod_of(scene: Scene, running: Running) -> V1Pod:
    for pod in await scene.do(scene.kube.ready_pods, _WORKER):
        if pod.metadata.name == running.pod:
            return pod
    raise LocalError(f"{running.pod} runs a job, and is no ready worker pod")


CASES = (
    ClusterCase(
        name="worker_pod_deleted",
        breaks="a worker pod deleted in the middle of a job",
        act=delete_worker,
        felt=Felt.MARKED,
        budget_seconds=25,
        counted_from="the deletion",
        checks=(writes_unharmed,),
    ),
    ClusterCase(
        name="worker_container_killed",
        breaks="kill -9 of a worker in the middle of a job",
        act=kill_worker,
        felt=Felt.MARKED,
        budget_seconds=25,
        counted_from="the kill",
        checks=(writes_unharmed,),
        nodes=True,
    ),
    ClusterCase(
        name="worker_frozen",
        breaks="a worker frozen in the middle of a job, past its lease",
        act=freeze_worker,
        felt=Felt.MARKED,
        budget_seconds=25,
        counted_from="the freeze",
        checks=(writes_unharmed,),
        nodes=True,
    ),
    ClusterCase(
        name="dispatchers_deleted",
        breaks="all dispatcher pods deleted at once",
        act=delete_dispatchers,
        felt=Felt.JOBS,
        budget_seconds=30,
        counted_from="the deletion",
        checks=(writes_unharmed,),
    ),
)
