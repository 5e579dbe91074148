"""The pod network where kindnetd's image cannot be had: a network a node, and routes to the others."""

import json
from dataclasses import dataclass

from tests.e2e.cluster.engine import docker
from tests.e2e.cluster.kube import Kubectl
from tests.e2e.cluster.wait import until

_CONFIGURATION = "/etc/cni/net.d/10-kind.conflist"
# A unit of the node image runs it at every start of the node: routes do not outlive one.
_ROUTES = "/etc/pod-routes"


@dataclass(frozen=True)
class Node:
    """A node, its address, and the range of its pods' addresses."""

    name: str
    address: str
    pods: str


def lay(kubectl: Kubectl, count: int) -> None:
    """Give each of `count` nodes its network. Idempotent. Raises ClusterError if a node gets no range of addresses."""
    # The controller manager hands the ranges out a few seconds after a node has joined. After a restart a node may have
    # another address than the API server still says.
    until(lambda: _are_known(_nodes(kubectl), count), "every node has its pods' addresses", seconds=120)
    nodes = _nodes(kubectl)
    for node in nodes:
        routes = "".join(f"ip route replace {peer.pods} via {peer.address}\n" for peer in nodes if peer != node)
        # The routes first: with the configuration there, the kubelet calls the node ready.
        script = (
            f"cat > {_ROUTES} <<'END'\n{routes}END\nsh {_ROUTES}\nmkdir -p /etc/cni/net.d\n"
            f"cat > {_CONFIGURATION}.new <<'END'\n{configuration(node.pods)}\nEND\n"
            f"mv {_CONFIGURATION}.new {_CONFIGURATION}\n"
        )
        docker("exec", "--interactive", node.name, "sh", "-eu", stdin=script)


def _are_known(nodes: list[Node], count: int) -> bool:
    return len(nodes) == count and all(node.address == _address(node.name) for node in nodes)


def _address(name: str) -> str:
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker("container", "inspect", "--format", template, name).strip()


def configuration(pods: str) -> str:
    """The network of a node as CNI's plugins read it: a pair of devices for each pod, and no masquerading."""
    ptp = {
        "type": "ptp",
        "ipMasq": False,
        "mtu": 1500,
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/cni-ipam-state",
            "routes": [{"dst": "0.0.0.0/0"}],
            "ranges": [[{"subnet": pods}]],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.3.1", "name": "kind", "plugins": [ptp, portmap]})


def _nodes(kubectl: Kubectl) -> list[Node]:
    found = []
    for item in kubectl.json("get", "nodes")["items"]:
        addresses = {each["type"]: each["address"] for each in item["status"].get("addresses", [])}
        pods = item["spec"].get("podCIDR")
        if pods and "InternalIP" in addresses:
            found.append(Node(item["metadata"]["name"], addresses["InternalIP"], pods))
    return found
