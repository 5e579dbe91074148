"""Argo CD in the kind cluster, as its own core install makes it, and the Git server that it reads."""

import secrets
from collections.abc import Iterator
from typing import Any

import yaml

from tests.e2e.cluster import catalog, golang
from tests.e2e.cluster.kube import Kubectl
from tests.e2e.cluster.paths import HERE
from tests.e2e.cluster.progress import elapsed, say
from tests.e2e.cluster.shell import ClusterError

NAMESPACE = "argocd"
_MANIFESTS = HERE / "manifests" / "gitops"
WORKLOADS = (
    "deployment/git",
    "deployment/argocd-redis",
    "deployment/argocd-repo-server",
    "deployment/argocd-applicationset-controller",
    "statefulset/argocd-application-controller",
)
_SECONDS = 240
_REDIS = "redis:8"
# Git is asked often, and what is wrong is tried again soon: the tests wait for both.
_OFTEN = {"timeout.reconciliation": "10s", "timeout.reconciliation.jitter": "0s"}
_PARAMETERS = {
    "applicationsetcontroller.requeue.after": "10s",
    "controller.status.processors": "4",
    "controller.operation.processors": "4",
    "controller.self.heal.timeout.seconds": "3",
    "reposerver.parallelism.limit": "2",
}
_RESOURCES = {
    # Hardly a processor: all of them are promised to what is measured. (Without a request, the limit would be one.)
    "requests": {"memory": "64Mi", "cpu": "1m"},
    "limits": {"cpu": "400m"},  # rendering takes what there is, on the node that weighs most
}


def install(kubectl: Kubectl) -> None:
    """Install Argo CD, with nothing to do yet, and an empty repository; wait until both run. Raises ClusterError."""
    started = elapsed()
    say("Argo CD and the Git server that it reads")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    kubectl.apply(*core_install(), _password())
    for path in sorted(_MANIFESTS.glob("*.yaml")):
        kubectl.apply_file(path)
    try:
        for name in WORKLOADS:
            kubectl.until_rolled_out(name, NAMESPACE, seconds=_SECONDS)
    except ClusterError as error:
        pods = kubectl("--namespace", NAMESPACE, "get", "pods", "--output=wide")
        raise ClusterError(f"Argo CD does not start: {error}\nThe pods of {NAMESPACE}:\n{pods}") from error
    say(f"Argo CD took {elapsed() - started:.0f} s")


def remove(kubectl: Kubectl) -> None:
    """Take Argo CD away, and leave alone what it has synced. Nothing where there is none. Raises ClusterError."""
    if not kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "--output=name").strip():
        return
    say("taking Argo CD away; what it has synced stays")
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s", seconds=200)


def core_install() -> Iterator[dict[str, Any]]:
    """The objects of the core install, from Argo CD's own module, as this cluster needs them."""
    text = (golang.find_source("argocd") / "manifests" / "core-install.yaml").read_text()
    yield from map(_fitted, yaml.load_all(text, Loader=yaml.CSafeLoader))


def _password() -> dict[str, Any]:
    """The Secret of its Redis: elsewhere Argo CD's command line makes it, which is not built here."""
    metadata = {"name": "argocd-redis", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"auth": secrets.token_hex(16)}}


def _fitted(found: dict[str, Any]) -> dict[str, Any]:
    """One object with images that are there, on one node, small and quick."""
    name = found["metadata"]["name"]
    match found["kind"]:
        case "ClusterRoleBinding":
            for subject in found["subjects"]:
                subject["namespace"] = NAMESPACE
        case "ConfigMap" if name == "argocd-cm":
            found["data"] |= _OFTEN
        case "ConfigMap" if name == "argocd-cmd-params-cm":
            found["data"] = _PARAMETERS
        case "Deployment" | "StatefulSet":
            _fit_pods(found["spec"]["template"]["spec"])
    if found["kind"] not in ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"):
        found["metadata"]["namespace"] = NAMESPACE
    return found


def _fit_pods(spec: dict[str, Any]) -> None:
    # Redis' makes its password, the repository server's copies a program for plug-ins: neither is wanted.
    spec.pop("initContainers", None)
    spec["nodeSelector"] = {"node-role.kubernetes.io/control-plane": ""}
    spec["tolerations"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    for container in spec["containers"]:
        container["image"] = _REDIS if "redis" in container["image"] else catalog.ARGO_CD
        container["imagePullPolicy"] = "IfNotPresent"
        container["resources"] = _RESOURCES
