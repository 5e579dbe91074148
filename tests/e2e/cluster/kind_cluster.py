"""Makes, finds and removes the kind cluster."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.cluster import catalog, network, node_image
from tests.e2e.cluster.engine import docker, give_weight
from tests.e2e.cluster.kube import Kubectl
from tests.e2e.cluster.paths import HERE, KUBECONFIG, STATE, cache
from tests.e2e.cluster.progress import say
from tests.e2e.cluster.shell import ClusterError, run
from tests.e2e.cluster.standins import has_key
from tests.e2e.cluster.tools import tool
from tests.e2e.cluster.wait import until

NAME = "taskhub"
_NODES = 3
CONTROL_PLANE = f"{NAME}-control-plane"
# Two workers' worth (a container has 1,024): it carries the servers and the ingress, which elsewhere share no machine
# with the pods that start on the workers. With four, a worker that is alone has a sixth of a busy machine.
_CONTROL_PLANE_SHARES = 2_048
# A quarter of what pods weigh: containerd and runc, which start a drained node's pods, would take half of the other's.
_SYSTEM_WEIGHT = 25
WORKERS = (f"{NAME}-worker", f"{NAME}-worker2")
_CONFIGURATION = HERE / "kind.yaml"
# In the cluster itself, so that another clone on this machine sees it too.
_STAMP = "taskhub-made-from"


def ensure_cluster() -> Kubectl:
    """Return kubectl for the running cluster, which is made if there is none, or made anew if it is another one's.

    "Another": made from another configuration or node image, or never finished.
    """
    kubectl = Kubectl(KUBECONFIG)
    wanted = _fingerprint()
    if nodes():
        started = _start_nodes()
        _export_kubeconfig()
        if _stamp(kubectl) == wanted:
            say(f"the cluster {NAME} is there")
            _weigh()
            if started:
                _make_ready(kubectl)
            return kubectl
        say("removing the cluster: it was never finished, or made from another configuration or node image")
        remove()
    say(f"creating the cluster: {_NODES} nodes of {node_tag().split('@')[0]} (about 60 s)")
    _create()
    _weigh()
    _make_ready(kubectl)
    stamp = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _STAMP, "namespace": "kube-system"}}
    kubectl.apply({**stamp, "data": {"fingerprint": wanted}})
    say("every node is ready")
    return kubectl


def nodes() -> list[str]:
    """The names of the cluster's node containers, running or not."""
    label = f"label=io.x-k8s.kind.cluster={NAME}"
    return sorted(docker("ps", "--all", "--format", "{{.Names}}", "--filter", label).split())


def remove() -> None:
    """Remove the cluster and its kubeconfig; what was built stays in the cache."""
    run([tool("kind"), "delete", "cluster", "--name", NAME, "--kubeconfig", KUBECONFIG], log=_log())
    KUBECONFIG.unlink(missing_ok=True)


def load(*tags: str, onto: Sequence[str] = ()) -> None:
    """Load images from the engine into the nodes `onto` (all by default), where a node does not have them."""
    chosen = ["--nodes", ",".join(onto)] if onto else []
    run([tool("kind"), "load", "docker-image", "--name", NAME, *chosen, *tags], log=_log(), timeout_seconds=900)


def _create() -> None:
    STATE.mkdir(parents=True, exist_ok=True)
    _log().unlink(missing_ok=True)
    configuration = _CONFIGURATION.read_text()
    if not is_stand_in():
        configuration = configuration.replace("disableDefaultCNI: true", "disableDefaultCNI: false")
    command: list[str | Path] = [tool("kind"), "create", "cluster", "--name", NAME, "--image", node_tag()]
    command += ["--kubeconfig", KUBECONFIG, "--config", "-", "--verbosity", "1"]
    run(command, stdin=configuration, log=_log(), timeout_seconds=600)


def is_stand_in() -> bool:
    """Whether the node image is built here: without kindnetd, but with the images of the platform and the backing."""
    return has_key(catalog.NODE, node_image.key())


def node_tag() -> str:
    """The node image that a cluster is made from."""
    return catalog.NODE if is_stand_in() else catalog.UPSTREAM_NODE


def _weigh() -> None:
    """Give the nodes, and what runs in them beside the pods, their shares of the machine; a second time is harmless."""
    give_weight()
    docker("update", "--cpu-shares", str(_CONTROL_PLANE_SHARES), CONTROL_PLANE)
    for node in nodes():
        docker("exec", node, "systemctl", "set-property", "system.slice", f"CPUWeight={_SYSTEM_WEIGHT}")


def _make_ready(kubectl: Kubectl) -> None:
    """Give the nodes their network, again where addresses may have changed, and wait until they are ready."""
    if is_stand_in():
        say("laying the pod network")
        network.lay(kubectl, _NODES)
    kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=180s", seconds=200)


def _start_nodes() -> bool:
    """Start node containers that were stopped, such as by a restart of the machine; return whether there were any."""
    stopped = [name for name in nodes() if not _is_running(name)]
    if stopped:
        say(f"starting {', '.join(stopped)}")
        docker("start", *stopped)
    return bool(stopped)


def _is_running(name: str) -> bool:
    return docker("container", "inspect", "--format", "{{.State.Running}}", name).strip() == "true"


def _export_kubeconfig() -> None:
    STATE.mkdir(parents=True, exist_ok=True)
    run([tool("kind"), "export", "kubeconfig", "--name", NAME, "--kubeconfig", KUBECONFIG], log=_log())


def _stamp(kubectl: Kubectl) -> str | None:
    """What the running cluster says it was made from; None if it was never finished, or does not answer for long.

    A machine under load may take a minute to answer, and a cluster that is only slow must not be removed.
    """
    try:
        until(lambda: _answers(kubectl), "the API server answers", seconds=180)
        return str(kubectl.json("--namespace", "kube-system", "get", "configmap", _STAMP)["data"]["fingerprint"])
    except ClusterError:
        return None


def _answers(kubectl: Kubectl) -> bool:
    try:
        kubectl("get", "--raw", "/readyz", seconds=15)
    except ClusterError:
        return False
    return True


def _fingerprint() -> str:
    image = docker("image", "inspect", "--format", "{{.Id}}", node_tag()).strip()
    return hashlib.sha256(f"{image}\n{_CONFIGURATION.read_text()}".encode()).hexdigest()[:12]


def _log() -> Path:
    return cache() / "logs" / "kind.log"
