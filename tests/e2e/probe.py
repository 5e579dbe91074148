"""Tries connections from inside the cluster, each from a pod of its own with the labels that matter."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubernetes.client import ApiException

from taskhub_local.errors import LocalError
from tests.e2e.kube import Kube, asked

_PYTHON = "/app/bin/python"
_TRIES = 4
_LONGEST_SECONDS = 90.0
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Attempt:
    """A connection to a Service, and whether it must succeed."""

    service: str
    namespace: str
    port: int
    from_namespace: str
    labels: Mapping[str, str]
    allowed: bool

    def __str__(self) -> str:
        who = ", ".join(f"{name}={value}" for name, value in self.labels.items()) or "no label"
        promise = "could not connect" if self.allowed else "connected"
        return f"a pod of {self.from_namespace} with {who} {promise} to {self.service}:{self.port}"


def attempts(kube: Kube, wanted: Sequence[Attempt]) -> list[tuple[Attempt, bool]]:
    """Try all of them side by side; return each with whether it connected. Raises LocalError."""
    image = kube.deployment("worker").spec.template.spec.containers[0].image
    pods = [(attempt, f"probe-{uuid.uuid4().hex[:8]}") for attempt in wanted]
    try:
        for attempt, name in pods:
            # By address: a pod that may not connect may not ask the DNS either, and that must not decide.
            address = asked(kube.core.read_namespaced_service)(attempt.service, attempt.namespace).spec.cluster_ip
            asked(kube.core.create_namespaced_pod)(attempt.from_namespace, _pod(name, attempt, address, image))
        return [(attempt, _exit_code(kube, attempt.from_namespace, name) == 0) for attempt, name in pods]
    finally:
        for attempt, name in pods:
            _delete(kube, attempt.from_namespace, name)


def _pod(name: str, attempt: Attempt, address: str, image: str) -> dict[str, Any]:
    # The policies for a new pod take a moment to reach its node's filter: what counts is what its tries come to.
    code = (
        "import socket, sys, time\n"
        "code = 9\n"
        f"for _ in range({_TRIES}):\n"
        f"    try: socket.create_connection(({address!r}, {attempt.port}), 2).close(); code = 0; time.sleep(1)\n"
        "    except OSError as error: print(error); code = 9; time.sleep(1)\n"
        "sys.exit(code)\n"
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": dict(attempt.labels)},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": [_PYTHON, "-c", code],
                    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def _exit_code(kube: Kube, namespace: str, name: str) -> int:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        pod = asked(kube.core.read_namespaced_pod)(name, namespace)
        for status in pod.status.container_statuses or []:
            if status.state.terminated is not None:
                code = int(status.state.terminated.exit_code)
                if code not in {0, 9}:
                    raise LocalError(f"the probe {name} in {namespace} ended with {code}: it could not even try")
                return code
        time.sleep(_POLL_SECONDS)
    raise LocalError(f"the probe {name} in {namespace} did not end within {_LONGEST_SECONDS:g} s")


def _delete(kube: Kube, namespace: str, name: str) -> None:
    try:
        kube.core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)
    except ApiException as error:
        if error.status != 404:
            raise LocalError(f"the probe {name} was not deleted: {error.status} {error.reason}") from error
