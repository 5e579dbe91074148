"""A network that carries nothing between the apps and a backing service, while both go on running."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.e2e.kube import APPS, BACKING, asked
from tests.e2e.scene import Scene

_CHAIN = "TASKHUB-E2E"
_REMOVE = f"iptables -D FORWARD -j {_CHAIN}; iptables -F {_CHAIN}; iptables -X {_CHAIN}"


@asynccontextmanager
async def parted(scene: Scene, service: str, seconds: float) -> AsyncIterator[None]:
    """Drop every packet between the apps' pods and a service's, in its node: connections stay open, nothing answers."""
    pod = await scene.do(scene.kube.a_pod, service, BACKING)
    node, address = pod.spec.node_name, pod.status.pod_ip
    found = await scene.do(asked(scene.kube.core.list_namespaced_pod), APPS)
    apps = [other.status.pod_ip for other in found.items if other.status.pod_ip and other.status.phase == "Running"]
    scene.stage.breaks(f"drop packets between {len(apps)} pods and {service} for {seconds:g} s")
    # One restore for all rules, so that all of them are there at one moment.
    rules = [f"-A {_CHAIN} -s {one} -d {address} -j DROP\n-A {_CHAIN} -s {address} -d {one} -j DROP" for one in apps]
    table = "\n".join(("*filter", f":{_CHAIN} - [0:0]", *rules, f"-I FORWARD -j {_CHAIN}", "COMMIT", ""))
    await scene.do(scene.kube.in_node, node, "sh", "-c", f"printf '%s' '{table}' | iptables-restore --noflush")
    try:
        yield
    finally:
        await scene.do(scene.kube.in_node, node, "sh", "-c", _REMOVE)
