"""All that Argo CD reads and all that it applies is valid to the last field."""

from pathlib import Path

import pytest
import yaml

from tests.argocd.world import (
    ARGO,
    DEFINITIONS,
    ENVIRONMENTS,
    all_renderings,
    application_sets,
    applications,
    documents,
)
from tests.charts.kubeconform import problems
from tests.charts.schemas import KUBERNETES

_BUILDING_SECONDS = 600


@pytest.mark.parametrize("path", sorted(ARGO.rglob("*.yaml")), ids=lambda path: str(path.relative_to(ARGO)))
def test_every_file_is_yaml(path: Path) -> None:
    assert list(yaml.safe_load_all(path.read_text()))


@pytest.mark.timeout(_BUILDING_SECONDS)
def test_argo_cd_would_accept_projects_application_sets_and_roots() -> None:
    found = [*documents("bootstrap"), *documents("bootstrap/projects"), *application_sets()]
    assert {each["kind"] for each in found} == {"AppProject", "ApplicationSet", "Application", "Secret"}
    assert not problems(yaml.safe_dump_all(found), KUBERNETES[-1], DEFINITIONS)


@pytest.mark.timeout(_BUILDING_SECONDS)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_argo_cd_would_accept_the_applications_that_are_made(environment: str) -> None:
    made = applications(environment)
    assert len(made) >= 2
    assert not problems(yaml.safe_dump_all(made), KUBERNETES[-1], DEFINITIONS)


@pytest.mark.timeout(_BUILDING_SECONDS)
@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_kubernetes_would_accept_every_object(environment: str, version: str) -> None:
    objects = [each for _, each in all_renderings(environment)]
    assert not problems(yaml.safe_dump_all(objects), version, DEFINITIONS)


@pytest.mark.timeout(_BUILDING_SECONDS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("selfHeal", "selfheal"),
        ("destination:", "destinations:"),
        ("targetRevision", "revision"),
        ("prune: true", "prune: 'yes'"),
    ],
)
def test_a_slip_in_an_application_would_be_found(old: str, new: str) -> None:
    text = yaml.safe_dump_all(applications("staging"))
    assert old in text
    assert problems(text.replace(old, new, 1), KUBERNETES[-1], DEFINITIONS)
