"""Taking away a backing service, with or without what it has stored."""

from kubernetes.client import ApiException, V1Pod

from taskhub_local.errors import LocalError
from tests.e2e.kube import BACKING, Kube, asked
from tests.e2e.scene import Scene


async def delete_backing_pod(scene: Scene, name: str, *, at_once: bool = True) -> V1Pod:
    """Delete the pod of a backing service, at once as a lost node would or gracefully, and return what it was."""
    pod = await scene.do(scene.kube.a_pod, name, BACKING)
    scene.stage.breaks(f"delete pod {pod.metadata.name}{' at once' if at_once else ''}")
    await scene.do(scene.kube.delete_pod, pod, at_once=at_once)
    return pod


async def wipe_backing(scene: Scene, name: str) -> None:
    """Delete the pod of a backing service together with its volume; a new pod gets an empty one."""
    pod = await scene.do(scene.kube.a_pod, name, BACKING)
    claims = claims_of(pod)
    if not claims:
        raise LocalError(f"{pod.metadata.name} has no volume to wipe")
    former = {claim: await scene.do(_claim_uid, scene.kube, claim) for claim in claims}
    scene.stage.breaks(f"delete pod {pod.metadata.name} and its volume")
    # Without this a new pod would hold on to the old volume before that is gone.
    await scene.do(scene.kube.scale_stateful_set, name, 0)
    try:
        await scene.do(scene.kube.delete_pod, pod, at_once=True)
        for claim in claims:
            await scene.do(asked(scene.kube.core.delete_namespaced_persistent_volume_claim), claim, BACKING)
            await scene.until(
                lambda claim=claim: _claim_uid(scene.kube, claim) is None,
                f"the volume {claim} is gone",
            )
    finally:
        await scene.do(scene.kube.scale_stateful_set, name, 1)

    def anew() -> bool:
        uids = {claim: _claim_uid(scene.kube, claim) for claim in claims}
        return all(uid is not None and uid != former[claim] for claim, uid in uids.items())

    await scene.until(anew, f"{name} has a new volume")


async def until_ready(scene: Scene, name: str, *, seconds: float = 240.0) -> float:
    """Wait until a backing service has a ready pod; return that time."""
    await scene.until(lambda: scene.kube.ready_pods(name, BACKING), f"{name} is ready", seconds=seconds)
    return scene.stage.heals(f"{name} is ready")


def claims_of(pod: V1Pod) -> list[str]:
    """Return the names of the volume claims of a pod."""
    volumes = pod.spec.volumes or []
    return [
        volume.persistent_volume_claim.claim_name for volume in volumes if volume.persistent_volume_claim is not None
    ]


def _claim_uid(kube: Kube, claim: str) -> str | None:
    try:
        found = kube.core.read_namespaced_persistent_volume_claim(claim, BACKING, _request_timeout=15)
    except ApiException as error:
        if error.status == 404:
            return None
        raise LocalError(f"Kubernetes answers {error.status} {error.reason}") from error
    return str(found.metadata.uid)
