"""Every pod is as unprivileged as Pod Security's "restricted" asks, and has limits and probes."""

from typing import Any

import pytest

from tests.charts.rendering import Manifest, Rendering, manifests, pods, render, renderings

_WRITES_ITS_IMAGE = {"StatefulSet elasticsearch"}
"""Elasticsearch writes its keystore beside its settings; it is on kind only."""
_TEMPORARY = ("emptyDir", "configMap", "secret", "downwardAPI", "persistentVolumeClaim", "projected")


def _specs(rendering: Rendering) -> list[tuple[str, Manifest]]:
    return [(name, pod["spec"]) for name, pod in pods(manifests(render(rendering)))]


def _containers(spec: Manifest) -> list[Manifest]:
    return [*spec.get("initContainers", []), *spec["containers"]]


@pytest.mark.parametrize("rendering", renderings(), ids=str)
def test_every_pod_passes_pod_security_restricted(rendering: Rendering) -> None:
    for name, spec in _specs(rendering):
        security: dict[str, Any] = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] >= 1, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        for volume in spec.get("volumes", []):
            assert any(kind in volume for kind in _TEMPORARY), f"{name}: {volume}"
        for container in _containers(spec):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name


@pytest.mark.parametrize("rendering", renderings(), ids=str)
def test_no_pod_can_write_its_image_or_talk_to_kubernetes(rendering: Rendering) -> None:
    for name, spec in _specs(rendering):
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        for container in _containers(spec):
            read_only = container["securityContext"]["readOnlyRootFilesystem"]
            assert read_only is not (name in _WRITES_ITS_IMAGE), name


@pytest.mark.parametrize("rendering", renderings(), ids=str)
def test_every_container_has_requests_and_a_memory_limit(rendering: Rendering) -> None:
    for name, spec in _specs(rendering):
        for container in _containers(spec):
            resources = container["resources"]
            assert {"cpu", "memory"} <= set(resources["requests"]), name
            assert "memory" in resources["limits"], name


@pytest.mark.parametrize("rendering", renderings(), ids=str)
def test_every_long_running_container_is_probed_three_ways(rendering: Rendering) -> None:
    for each in manifests(render(rendering)):
        if each["kind"] not in ("Deployment", "StatefulSet"):
            continue
        name = each["metadata"]["name"]
        for container in each["spec"]["template"]["spec"]["containers"]:
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container), name
