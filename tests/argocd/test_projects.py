"""A project allows what its Applications need, and nothing else."""

import pytest

from tests.argocd.world import (
    ENVIRONMENTS,
    Manifest,
    all_renderings,
    applications,
    kind_of,
    projects,
    root,
)

# Kinds of the whole cluster among those that the charts and folders here make.
_CLUSTER_WIDE = {("", "Namespace"), ("storage.k8s.io", "StorageClass")}
_OURS = {"bootstrap", *(f"taskhub-{environment}" for environment in ENVIRONMENTS)}


def _allowed(project: Manifest, scope: str) -> set[tuple[str, str]]:
    return {(each["group"], each["kind"]) for each in project["spec"][f"{scope}ResourceWhitelist"]}


def _used(environment: str) -> list[Manifest]:
    return [root(environment), *applications(environment)]


def _of(project: str) -> list[tuple[Manifest, Manifest]]:
    return [
        pair
        for environment in ENVIRONMENTS
        for pair in all_renderings(environment)
        if pair[0]["spec"]["project"] == project
    ]


@pytest.mark.parametrize("name", sorted(projects()))
def test_no_project_has_a_wildcard(name: str) -> None:
    spec = projects()[name]["spec"]
    assert not [source for source in spec["sourceRepos"] if "*" in source]
    assert not [place for place in spec["destinations"] if "*" in f"{place['server']} {place['namespace']}"]
    for list_name in ("clusterResourceWhitelist", "namespaceResourceWhitelist"):
        assert not [each for each in spec.get(list_name, []) if "*" in f"{each['group']} {each['kind']}"]


def test_the_default_project_allows_nothing() -> None:
    default = projects()["default"]
    assert default["spec"]["sourceRepos"] == default["spec"]["destinations"] == []
    assert not _allowed(default, "cluster")
    assert not _allowed(default, "namespace")


@pytest.mark.parametrize("name", sorted(_OURS))
def test_only_the_platform_may_touch_what_belongs_to_the_whole_cluster(name: str) -> None:
    assert projects()[name]["spec"]["clusterResourceWhitelist"] == []


def test_the_platform_makes_no_namespace_and_no_class_of_volumes_but_the_named_ones() -> None:
    listed = {
        (each["group"], each["kind"], each.get("name"))
        for each in projects()["platform"]["spec"]["clusterResourceWhitelist"]
        if (each["group"], each["kind"]) in _CLUSTER_WIDE
    }
    made = {(*kind_of(each), each["metadata"]["name"]) for _, each in _of("platform") if kind_of(each) in _CLUSTER_WIDE}
    assert made == listed


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_project_allows_its_applications_sources_and_destinations(environment: str) -> None:
    for application in _used(environment):
        spec = application["spec"]
        project = projects()[spec["project"]]["spec"]
        assert {source["repoURL"] for source in spec["sources"]} <= set(project["sourceRepos"]), application["metadata"]
        assert spec["destination"] in project["destinations"], application["metadata"]


@pytest.mark.parametrize("name", sorted(set(projects()) - {"default"}))
def test_every_source_and_destination_of_a_project_is_used(name: str) -> None:
    spec = projects()[name]["spec"]
    used = [
        each["spec"] for environment in ENVIRONMENTS for each in _used(environment) if each["spec"]["project"] == name
    ]
    assert {source["repoURL"] for each in used for source in each["sources"]} == set(spec["sourceRepos"])
    wanted = {each["destination"]["namespace"] for each in used}
    assert {place["namespace"] for place in spec["destinations"]} == wanted


@pytest.mark.parametrize("name", sorted(_OURS))
def test_a_project_allows_exactly_the_kinds_that_its_applications_make(name: str) -> None:
    assert {kind_of(each) for _, each in _of(name)} == _allowed(projects()[name], "namespace")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_nothing_is_made_outside_an_applications_own_namespace(environment: str) -> None:
    for application, each in all_renderings(environment):
        if kind_of(each) not in _CLUSTER_WIDE:
            own = application["spec"]["destination"]["namespace"]
            assert each["metadata"].get("namespace", own) == own, f"{each['kind']} {each['metadata']['name']}"
