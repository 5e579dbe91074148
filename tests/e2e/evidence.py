"""What a failed case leaves behind: logs, description and events of every pod that it may have touched."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import yaml
from kubernetes.client import ApiException, V1Pod

from taskhub_local.errors import LocalError
from tests.e2e.cluster import gitops
from tests.e2e.kube import APPS, BACKING, INGRESS, Kube

NAMESPACES = (APPS, BACKING, INGRESS, gitops.NAMESPACE)
_LINES = 4_000


def keep_evidence(kube: Kube, folder: Path) -> None:
    """Write it all into the folder, a folder for each namespace. What cannot be had leaves a line in problems.txt."""
    problems: list[str] = []
    for namespace in NAMESPACES:
        inside = folder / namespace
        shutil.rmtree(inside, ignore_errors=True)
        inside.mkdir(parents=True)
        try:
            _events(kube, namespace, inside)
            for pod in kube.core.list_namespaced_pod(namespace, _request_timeout=15).items:
                problems += _pod(kube, pod, inside)
        except (ApiException, LocalError, OSError) as error:
            problems.append(f"{namespace}: {error}")
    if problems:
        (folder / "problems.txt").write_text("\n".join(problems) + "\n")


def _events(kube: Kube, namespace: str, inside: Path) -> None:
    found = kube.core.list_namespaced_event(namespace, _request_timeout=15).items
    found.sort(key=lambda event: str(event.last_timestamp or event.event_time or event.metadata.creation_timestamp))
    lines = [
        f"{event.last_timestamp or event.event_time} {event.type} {event.reason} "
        f"{event.involved_object.kind}/{event.involved_object.name} x{event.count or 1}: {event.message}"
        for event in found
    ]
    (inside / "events.txt").write_text("\n".join(lines) + "\n")


def _pod(kube: Kube, pod: V1Pod, inside: Path) -> list[str]:
    name = pod.metadata.name
    described = json.loads(json.dumps(kube.api.sanitize_for_serialization(pod)))
    described["metadata"].pop("managedFields", None)
    (inside / f"{name}.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    problems = []
    for status in pod.status.container_statuses or []:
        for previous in (False, True):
            if previous and not status.restart_count:
                continue
            suffix = ".previous" if previous else ""
            path = inside / f"{name}.{status.name}{suffix}.log"
            problems += _written(path, lambda status=status, previous=previous: _log(kube, pod, status.name, previous))
    return problems


def _log(kube: Kube, pod: V1Pod, container: str, previous: bool) -> str:
    text: str = kube.core.read_namespaced_pod_log(
        pod.metadata.name,
        pod.metadata.namespace,
        container=container,
        previous=previous,
        tail_lines=_LINES,
        timestamps=True,
        _request_timeout=15,
    )
    return text


def _written(path: Path, read: Callable[[], str]) -> list[str]:
    try:
        path.write_text(read())
    except ApiException as error:
        return [f"{path.name}: {error.status} {error.reason}"]
    return []
