"""How each environment syncs: in which order, by itself or not, and what it asks before it deletes."""

import re
from itertools import pairwise
from typing import Any

import pytest
import yaml

from tests.argocd.world import (
    ARGO,
    ENVIRONMENTS,
    FROM_AWS,
    HOOK,
    OPTIONS,
    WAVE,
    Manifest,
    all_renderings,
    annotations,
    application,
    application_sets,
    applications,
    documents,
    kind_of,
    own_sources,
    projects,
    render,
    root,
)

_MONITORS = {"ServiceMonitor", "PodMonitor"}


def _wave(manifest: Manifest) -> int:
    return int(annotations(manifest).get(WAVE, 0))


def _version(environment: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ARGO / "envs" / environment / "version.yaml").read_text())
    return found


def _taskhub(environment: str) -> dict[str, list[Manifest]]:
    """The objects of each component."""
    made = application(environment, "taskhub")
    return {source["helm"]["releaseName"]: render(made, source) for source in own_sources(made)}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_api_syncs_before_the_worker_and_the_worker_before_the_consumer(environment: str) -> None:
    waves = []
    for component in ("api", "worker", "sqs-consumer"):
        objects = [each for each in _taskhub(environment)[component] if HOOK not in annotations(each)]
        (wave,) = {_wave(each) for each in objects if each["kind"] not in _MONITORS}
        waves.append(wave)
    assert waves == sorted(set(waves))
    assert waves[-1] < 0


@pytest.mark.parametrize("environment", FROM_AWS)
def test_what_is_scraped_is_there_before_what_scrapes(environment: str) -> None:
    objects = [each for component in _taskhub(environment).values() for each in component]
    monitors = [each for each in objects if each["kind"] in _MONITORS]
    assert len(monitors) >= 5
    assert min(_wave(each) for each in monitors) > max(_wave(each) for each in objects if each["kind"] == "Deployment")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_migration_runs_before_everything_else_and_what_it_uses_before_it(environment: str) -> None:
    hooks = [each for each in _taskhub(environment)["api"] if HOOK in annotations(each)]
    assert {annotations(each)[HOOK] for each in hooks} == {"PreSync"}
    (job,) = (each for each in hooks if each["kind"] == "Job")
    pod = job["spec"]["template"]["spec"]
    before = [each for each in hooks if _wave(each) < _wave(job)]
    assert ("ServiceAccount", pod["serviceAccountName"]) in {(e["kind"], e["metadata"]["name"]) for e in before}
    assert {each["kind"] for each in before} == {"ServiceAccount", "NetworkPolicy"}
    # Whatever else it names must not be part of the same Application, which comes only after it.
    later = {(each["kind"], each["metadata"]["name"]) for objects in _taskhub(environment).values() for each in objects}
    assert not _referenced(pod) & later


def _referenced(pod: Manifest) -> set[tuple[str, str]]:
    text = yaml.safe_dump(pod)
    secrets = {("Secret", name) for name in re.findall(r"secretKeyRef:\s+key: \S+\s+name: (\S+)", text)}
    maps = {("ConfigMap", volume["configMap"]["name"]) for volume in pod["volumes"] if "configMap" in volume}
    assert secrets
    return secrets | maps


def test_the_roots_waves_are_projects_settings_platform_needs_apps_monitors() -> None:
    order = [
        [documents("bootstrap/projects"), documents("bootstrap/settings")],
        [(each for each in documents("platform") if each["metadata"]["name"] in ("namespaces", "storage"))],
        [(each for each in documents("platform") if each["metadata"]["name"] == "platform")],
        [(each for each in documents("apps") if each["metadata"]["name"] in ("needs", "backing"))],
        [(each for each in documents("apps") if each["metadata"]["name"] == "taskhub")],
        [(each for each in documents("apps") if each["metadata"]["name"] == "monitors")],
    ]
    waves = [{_wave(each) for group in step for each in group} for step in order]
    assert all(waves)
    assert all(max(one) < min(other) for one, other in pairwise(waves))


@pytest.mark.parametrize("environment", ["kind", "staging"])
def test_kind_and_staging_heal_and_prune_by_themselves(environment: str) -> None:
    for each in (root(environment), *applications(environment)):
        assert each["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}, each["metadata"]["name"]


def test_production_syncs_only_by_hand_and_only_in_a_window() -> None:
    for each in (root("prod"), *applications("prod")):
        assert "automated" not in each["spec"]["syncPolicy"], each["metadata"]["name"]
        (window,) = projects()[each["spec"]["project"]]["spec"]["syncWindows"]
        assert (window["kind"], window["manualSync"]) == ("allow", False)
        assert window["applications"] == ["prod-*"]
        assert each["metadata"]["name"].startswith("prod-")


@pytest.mark.parametrize("environment", ["kind", "staging"])
def test_the_window_of_production_does_not_bind_other_environments(environment: str) -> None:
    assert not [each for each in applications(environment) if each["metadata"]["name"].startswith("prod-")]
    assert "syncWindows" not in projects()[f"taskhub-{environment}"]["spec"]


@pytest.mark.parametrize("environment", FROM_AWS)
def test_what_runs_in_aws_is_pinned_to_a_release(environment: str) -> None:
    revision = _version(environment)["revision"]
    assert re.fullmatch(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", revision)
    for name in ("taskhub", "needs", "monitors"):
        sources = application(environment, name)["spec"]["sources"]
        assert {source["targetRevision"] for source in sources} == {revision}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_version_file_alone_says_which_images_run(environment: str) -> None:
    images = _version(environment)["images"]
    assert all(isinstance(tag, str) for tag in images.values()), "quote them: 12e4567 would be a number"
    for component, objects in _taskhub(environment).items():
        pods = [each["spec"]["template"]["spec"] for each in objects if each["kind"] in ("Deployment", "Job")]
        assert pods
        for pod in pods:
            assert {container["image"].rsplit(":", 1)[1] for container in pod["containers"]} == {images[component]}


def test_charts_from_elsewhere_are_pinned_exactly() -> None:
    charts = [
        source for environment in FROM_AWS for each in applications(environment)
        for source in each["spec"]["sources"] if "chart" in source
    ]  # fmt: skip
    assert len(charts) == 2 * 8
    for source in charts:
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", source["targetRevision"]), source


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_everything_is_applied_by_the_server(environment: str) -> None:
    for each in (root(environment), *applications(environment)):
        options = each["spec"]["syncPolicy"]["syncOptions"]
        assert {"ServerSideApply=true", "FailOnSharedResource=true"} <= set(options), each["metadata"]["name"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_holds_data_goes_only_when_somebody_confirms(environment: str) -> None:
    holds_data = {"StatefulSet", "PersistentVolumeClaim", "StorageClass", "Namespace"}
    holds_data |= {"Elasticsearch", "ExternalSecret", "SecretStore"}
    seen = set()
    for owner, each in all_renderings(environment):
        if each["kind"] in holds_data:
            seen.add(each["kind"])
            own = annotations(each).get(OPTIONS, "").split(",")
            options = {*owner["spec"]["syncPolicy"]["syncOptions"], *own}
            assert {"Prune=confirm", "Delete=confirm"} <= options, f"{each['kind']} {each['metadata']['name']}"
    assert seen


@pytest.mark.parametrize("environment", FROM_AWS)
def test_an_operators_definitions_go_only_when_somebody_confirms(environment: str) -> None:
    for each in applications(environment):
        if each["spec"]["project"] == "platform":
            assert {"Prune=confirm", "Delete=confirm"} <= set(each["spec"]["syncPolicy"]["syncOptions"])


def test_no_application_set_takes_with_it_what_it_has_made() -> None:
    for each in application_sets():
        policy = each["spec"]["syncPolicy"]
        assert policy == {"preserveResourcesOnDeletion": True, "applicationsSync": "create-update"}
        finalizers = each["spec"]["template"]["metadata"].get("finalizers")
        assert not finalizers, each["metadata"]["name"]


def test_an_application_set_does_not_overrule_who_pauses_or_confirms() -> None:
    """It would take away an annotation, and the field that switches automation off, which are not its own."""
    for each in application_sets():
        spec = each["spec"]
        assert spec["preservedFields"] == {"annotations": ["argocd.argoproj.io/deletion-approved"]}
        assert spec["ignoreApplicationDifferences"] == [{"jsonPointers": ["/spec/syncPolicy/automated/enabled"]}]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_how_many_pods_there_are_is_said_by_one_party_only(environment: str) -> None:
    """So nothing has to be ignored: where an autoscaler decides, Git does not say it, and Argo CD leaves it alone."""
    objects = [each for component in _taskhub(environment).values() for each in component]
    scaled = {
        (each["spec"]["scaleTargetRef"]["name"]) for each in objects
        if each["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")
    }  # fmt: skip
    assert scaled
    for each in objects:
        if each["kind"] == "Deployment":
            assert ("replicas" in each["spec"]) == (each["metadata"]["name"] not in scaled), each["metadata"]["name"]
    assert not [each for each in applications(environment) if "ignoreDifferences" in each["spec"]]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_object_is_made_twice(environment: str) -> None:
    made = [
        (*kind_of(each), owner["spec"]["destination"]["namespace"], each["metadata"]["name"])
        for owner, each in all_renderings(environment)
    ]
    assert len(made) == len(set(made))
