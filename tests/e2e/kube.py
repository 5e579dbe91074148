"""The cluster as cases reach for it: pods, deployments, nodes, Secrets. Every call is short and blocking."""

import base64
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client import ApiException, V1Deployment, V1Node, V1Pod

from taskhub_local.errors import LocalError

APPS = "taskhub"
BACKING = "taskhub-backing"
INGRESS = "ingress"
NAME_LABEL = "app.kubernetes.io/name"
COMPONENTS = ("api", "worker", "dispatcher", "sqs-consumer")
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
_TIMEOUT_SECONDS = 15
_IMMEDIATELY = 0


def asked[**P, T](call: Callable[P, T]) -> Callable[P, T]:
    """Make a call raise LocalError, with what the API server said, where the client raises one of its many errors."""

    def asking(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return call(*arguments, **options)
        except ApiException as error:
            raise LocalError(f"Kubernetes answers {error.status} {error.reason}: {error.body}") from error
        except urllib3.exceptions.HTTPError as error:
            raise LocalError(f"Kubernetes does not answer: {error}") from error

    return asking


def node_names(pods: Sequence[V1Pod]) -> set[str]:
    """Return the names of the nodes that the pods are on."""
    return {pod.spec.node_name for pod in pods}


class Kube:
    """One cluster. Raises LocalError whatever goes wrong between here and there."""

    def __init__(self, kubeconfig: Path) -> None:
        settings = client.Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=settings)
        settings.retries = 2
        self.kubeconfig = kubeconfig
        self.api = client.ApiClient(settings)
        self.core = client.CoreV1Api(self.api)
        self.apps = client.AppsV1Api(self.api)
        self.network = client.NetworkingV1Api(self.api)
        self.scaling = client.AutoscalingV2Api(self.api)
        self.custom = client.CustomObjectsApi(self.api)

    # Pods

    def pods(self, app: str, namespace: str = APPS) -> list[V1Pod]:
        """Return the pods of an app that are not on their way out, oldest first."""
        found = asked(self.core.list_namespaced_pod)(
            namespace, label_selector=f"{NAME_LABEL}={app}", _request_timeout=_TIMEOUT_SECONDS
        )
        alive = [pod for pod in found.items if pod.metadata.deletion_timestamp is None]
        return sorted(alive, key=lambda pod: pod.metadata.creation_timestamp)

    def ready_pods(self, app: str, namespace: str = APPS) -> list[V1Pod]:
        """Return those that are ready."""
        return [pod for pod in self.pods(app, namespace) if is_ready(pod)]

    def a_pod(self, app: str, namespace: str = APPS) -> V1Pod:
        """Return the oldest ready pod. Raises LocalError if there is none."""
        ready = self.ready_pods(app, namespace)
        if not ready:
            raise LocalError(f"no pod of {app} is ready")
        return ready[0]

    def leaving(self, namespace: str = APPS) -> list[str]:
        """Return the names of the pods that are on their way out."""
        found = asked(self.core.list_namespaced_pod)(namespace, _request_timeout=_TIMEOUT_SECONDS)
        return [pod.metadata.name for pod in found.items if pod.metadata.deletion_timestamp is not None]

    def delete_pod(self, pod: V1Pod, *, at_once: bool = False) -> None:
        """Delete a pod: gracefully, or at once (its processes are killed)."""
        options = {"grace_period_seconds": _IMMEDIATELY} if at_once else {}
        asked(self.core.delete_namespaced_pod)(
            pod.metadata.name, pod.metadata.namespace, _request_timeout=_TIMEOUT_SECONDS, **options
        )

    def is_gone(self, pod: V1Pod) -> bool:
        """Whether that very pod is there no more."""
        try:
            found = self.core.read_namespaced_pod(
                pod.metadata.name, pod.metadata.namespace, _request_timeout=_TIMEOUT_SECONDS
            )
        except ApiException as error:
            if error.status == 404:
                return True
            raise LocalError(f"Kubernetes answers {error.status} {error.reason}") from error
        return bool(found.metadata.uid != pod.metadata.uid)

    def kill(self, pod: V1Pod) -> None:
        """Send SIGKILL to the first process of a pod's container, from the node: the pod stays, the container dies."""
        self._to_task(pod, "kill", "--signal", "SIGKILL")

    def freeze(self, pod: V1Pod) -> None:
        """Stop every process of a pod's container, from the node, as SIGSTOP would."""
        self._to_task(pod, "pause")

    def thaw(self, pod: V1Pod) -> None:
        """Let them go on. Nothing, where the kubelet has ended that container meanwhile."""
        try:
            self._to_task(pod, "resume")
        except LocalError as error:
            if "not found" not in str(error):
                raise

    def _to_task(self, pod: V1Pod, command: str, *options: str) -> None:
        container = pod.status.container_statuses[0].container_id.rpartition("/")[2]
        self.in_node(pod.spec.node_name, "ctr", "-n", "k8s.io", "tasks", command, *options, container)

    def restarts(self, pod: V1Pod) -> int:
        """How often the containers of a pod were started again."""
        found = asked(self.core.read_namespaced_pod)(
            pod.metadata.name, pod.metadata.namespace, _request_timeout=_TIMEOUT_SECONDS
        )
        return sum(status.restart_count for status in found.status.container_statuses or [])

    # Deployments

    def deployment(self, name: str, namespace: str = APPS) -> V1Deployment:
        """Return a Deployment."""
        found: V1Deployment = asked(self.apps.read_namespaced_deployment)(
            name, namespace, _request_timeout=_TIMEOUT_SECONDS
        )
        return found

    def is_rolled_out(self, name: str, namespace: str = APPS) -> bool:
        """Whether every replica is of the newest revision, and available."""
        found = self.deployment(name, namespace)
        wanted, status = found.spec.replicas, found.status
        counts = (status.replicas, status.updated_replicas, status.available_replicas)
        current = status.observed_generation >= found.metadata.generation
        return bool(current and all((count or 0) == wanted for count in counts))

    def scale(self, name: str, replicas: int, namespace: str = APPS) -> None:
        """Set the replicas of a Deployment. At 0 its HPA rests."""
        body = {"spec": {"replicas": replicas}}
        asked(self.apps.patch_namespaced_deployment_scale)(name, namespace, body, _request_timeout=_TIMEOUT_SECONDS)

    def scale_stateful_set(self, name: str, replicas: int, namespace: str = BACKING) -> None:
        """Set the replicas of a StatefulSet."""
        body = {"spec": {"replicas": replicas}}
        asked(self.apps.patch_namespaced_stateful_set_scale)(name, namespace, body, _request_timeout=_TIMEOUT_SECONDS)

    # DaemonSets

    def place_daemon_set(self, name: str, namespace: str, labels: Mapping[str, str | None]) -> None:
        """Change the labels that a node must have for a DaemonSet's pod. None takes one away."""
        body = {"spec": {"template": {"spec": {"nodeSelector": labels}}}}
        asked(self.apps.patch_namespaced_daemon_set)(name, namespace, body, _request_timeout=_TIMEOUT_SECONDS)

    # Ingresses

    def ingress_target(self, name: str) -> str:
        """Return the Service that an Ingress sends everything to."""
        found = asked(self.network.read_namespaced_ingress)(name, APPS, _request_timeout=_TIMEOUT_SECONDS)
        return str(found.spec.rules[0].http.paths[0].backend.service.name)

    def set_ingress_target(self, name: str, service: str) -> None:
        """Send everything to another Service, which need not be there."""
        patch = [{"op": "replace", "path": "/spec/rules/0/http/paths/0/backend/service/name", "value": service}]
        asked(self.network.patch_namespaced_ingress)(name, APPS, patch, _request_timeout=_TIMEOUT_SECONDS)

    # Secrets

    def secret(self, name: str, namespace: str = APPS) -> dict[str, str]:
        """Return what a Secret holds, decoded."""
        found = asked(self.core.read_namespaced_secret)(name, namespace, _request_timeout=_TIMEOUT_SECONDS)
        return {key: base64.b64decode(value).decode() for key, value in (found.data or {}).items()}

    def set_secret(self, name: str, values: Mapping[str, str], namespace: str = APPS) -> None:
        """Change some values of a Secret; the others stay."""
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        asked(self.core.patch_namespaced_secret)(name, namespace, {"data": data}, _request_timeout=_TIMEOUT_SECONDS)

    # Alerts

    def alerts(self) -> set[str]:
        """Return the names of the alerts that its PrometheusRules have."""
        found = asked(self.custom.list_cluster_custom_object)(
            "monitoring.coreos.com", "v1", "prometheusrules", _request_timeout=_TIMEOUT_SECONDS
        )
        groups = [group for item in found["items"] for group in item["spec"]["groups"]]
        return {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}

    # Nodes

    def nodes(self) -> list[V1Node]:
        """Return every node."""
        found: list[V1Node] = asked(self.core.list_node)(_request_timeout=_TIMEOUT_SECONDS).items
        return found

    def workers(self) -> list[str]:
        """Return the names of the nodes that are no control plane."""
        return [node.metadata.name for node in self.nodes() if _CONTROL_PLANE not in node.metadata.labels]

    def nodes_are_here(self) -> bool:
        """Whether the nodes are containers of this machine's Docker, as kind's are."""
        try:
            docker("inspect", *(node.metadata.name for node in self.nodes()))
        except LocalError:
            return False
        return True

    def is_node_ready(self, name: str) -> bool:
        """Whether a node says that it is well."""
        node = asked(self.core.read_node)(name, _request_timeout=_TIMEOUT_SECONDS)
        return any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions)

    def cordon(self, name: str, *, closed: bool) -> None:
        """Close a node for new pods, or open it again."""
        asked(self.core.patch_node)(name, {"spec": {"unschedulable": closed}}, _request_timeout=_TIMEOUT_SECONDS)

    def pods_on(self, node: str) -> list[V1Pod]:
        """Return every living pod on a node that a drain moves: neither DaemonSet's nor a finished one."""
        found = asked(self.core.list_pod_for_all_namespaces)(
            field_selector=f"spec.nodeName={node}", _request_timeout=_TIMEOUT_SECONDS
        )
        return [
            pod
            for pod in found.items
            if pod.status.phase in {"Pending", "Running"}
            and not any(owner.kind in {"DaemonSet", "Node"} for owner in pod.metadata.owner_references or [])
        ]

    def evict(self, pod: V1Pod) -> bool:
        """Ask for a pod's eviction; False while a PodDisruptionBudget says no."""
        named = client.V1ObjectMeta(name=pod.metadata.name, namespace=pod.metadata.namespace)
        try:
            self.core.create_namespaced_pod_eviction(
                pod.metadata.name,
                pod.metadata.namespace,
                client.V1Eviction(metadata=named),
                _request_timeout=_TIMEOUT_SECONDS,
            )
        except ApiException as error:
            if error.status == 429:
                return False
            if error.status != 404:
                raise LocalError(f"Kubernetes answers {error.status} {error.reason}: {error.body}") from error
        return True

    def in_node(self, node: str, *command: str) -> str:
        """Run a program in a node, which is a container of this machine. Raises LocalError with what it said."""
        return docker("exec", node, *command)


def docker(*arguments: str) -> str:
    """Run docker, and return what it says. Raises LocalError."""
    try:
        result = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalError(f"docker {' '.join(arguments)}: {error}") from error
    if result.returncode != 0:
        raise LocalError(f"docker {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout


def is_ready(pod: V1Pod) -> bool:
    """Whether a pod takes traffic."""
    return any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions or [])


def waiting_reasons(pod: V1Pod) -> set[str]:
    """Why the containers of a pod wait, and why they ended before: ImagePullBackOff, CrashLoopBackOff, OOMKilled."""
    reasons: set[str] = set()
    for status in pod.status.container_statuses or []:
        states: list[Any] = [status.state, status.last_state]
        for state in states:
            reasons |= {part.reason for part in (state.waiting, state.terminated) if part is not None and part.reason}
    return reasons
