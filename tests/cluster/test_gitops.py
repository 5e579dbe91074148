"""Argo CD's core install as the cluster takes it: every object in its namespace, and images that the nodes have."""

from typing import Any

import pytest
from tests.e2e.cluster import catalog, gitops

_OF_THE_CLUSTER = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """Everything that is installed."""
    return list(gitops.core_install())


def test_the_controllers_run_images_that_the_nodes_have_on_the_node_that_has_them(
    objects: list[dict[str, Any]],
) -> None:
    workloads = [found for found in objects if found["kind"] in ("Deployment", "StatefulSet")]
    assert {f"{found['kind'].lower()}/{found['metadata']['name']}" for found in workloads} < set(gitops.WORKLOADS)
    assert len(workloads) == len(gitops.WORKLOADS) - 1  # without the Git server's
    for found in workloads:
        pod = found["spec"]["template"]["spec"]
        containers = [*pod.get("initContainers", []), *pod["containers"]]
        assert {one["image"] for one in containers} <= {catalog.ARGO_CD, "redis:8"}
        assert {one["imagePullPolicy"] for one in containers} == {"IfNotPresent"}
        assert "node-role.kubernetes.io/control-plane" in pod["nodeSelector"]
        # Those who serve keep a processor between them, however much is rendered.
        assert {one["resources"]["limits"]["cpu"] for one in containers} == {"400m"}
        # And no place on the node is kept for them: there is none.
        assert {one["resources"]["requests"]["cpu"] for one in containers} == {"1m"}


def test_every_object_is_in_argo_cds_namespace_and_its_rights_are_its_accounts(objects: list[dict[str, Any]]) -> None:
    for found in objects:
        inside = found["kind"] not in _OF_THE_CLUSTER
        assert found["metadata"].get("namespace") == (gitops.NAMESPACE if inside else None)
    (binding,) = (found for found in objects if found["kind"] == "ClusterRoleBinding")
    assert [subject["namespace"] for subject in binding["subjects"]] == [gitops.NAMESPACE]


def test_git_is_asked_often_and_what_argo_cd_brings_as_settings_stays(objects: list[dict[str, Any]]) -> None:
    (settings,) = (found["data"] for found in objects if found["metadata"]["name"] == "argocd-cm")
    assert settings["timeout.reconciliation"] == "10s"
    assert "resource.exclusions" in settings
