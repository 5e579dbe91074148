"""The cluster's DNS does not answer (a row of failure-modes.yaml beside the eight modes)."""

from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import never_internal
from tests.e2e.case import ClusterCase
from tests.e2e.scene import Scene

_DNS = "coredns"
_NAMESPACE = "kube-system"
_LABEL = "k8s-app=kube-dns"
_AWAY_SECONDS = 20.0


async def stop_dns(scene: Scene) -> float:
    """Take every CoreDNS pod away for a while: what is connected goes on, and new connections find nobody."""
    replicas = (await scene.do(scene.kube.deployment, _DNS, _NAMESPACE)).spec.replicas
    scene.stage.breaks(f"no CoreDNS runs for {_AWAY_SECONDS:g} s")
    await scene.do(scene.kube.scale, _DNS, 0, _NAMESPACE)
    try:
        await scene.until(lambda: not _pods(scene), "no CoreDNS is left")
        await scene.stage.last(_AWAY_SECONDS)
    finally:
        await scene.do(scene.kube.scale, _DNS, replicas, _NAMESPACE)
    await scene.until(lambda: scene.kube.is_rolled_out(_DNS, _NAMESPACE), "CoreDNS is ready")
    return scene.stage.heals("CoreDNS is ready")


def _pods(scene: Scene) -> int:
    return len(scene.kube.core.list_namespaced_pod(_NAMESPACE, label_selector=_LABEL).items)


CASES = (
    ClusterCase(
        name="dns_stopped",
        breaks=f"no CoreDNS for {_AWAY_SECONDS:g} s",
        act=stop_dns,
        felt=Felt.JOBS,
        budget_seconds=20,
        counted_from="CoreDNS is ready",
        checks=(never_internal,),
    ),
)
