"""Every object of every chart, with each values file, is valid for three Kubernetes versions, to the last field."""

import pytest

from tests.charts.kubeconform import problems
from tests.charts.rendering import Rendering, render, renderings
from tests.charts.schemas import KUBERNETES

_BUILDING_SECONDS = 600


@pytest.mark.timeout(_BUILDING_SECONDS)
@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("rendering", renderings(), ids=str)
def test_kubernetes_would_accept_every_object(rendering: Rendering, version: str) -> None:
    assert not problems(render(rendering), version)


@pytest.mark.timeout(_BUILDING_SECONDS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("maxUnavailable: 0", "maxUnavailble: 0"),
        ("readOnlyRootFilesystem: true", 'readOnlyRootFilesystem: "yes"'),
        ("kind: PodDisruptionBudget", "kind: PodDisruptionBudgets"),
        ("terminationGracePeriodSeconds: ", "terminationGracePeriodSeconds: soon #"),
    ],
)
def test_a_slip_in_a_template_would_be_found(old: str, new: str) -> None:
    text = render(Rendering("api", "kind"))
    assert old in text
    assert problems(text.replace(old, new, 1), KUBERNETES[-1])


@pytest.mark.timeout(_BUILDING_SECONDS)
def test_a_slip_in_a_custom_resource_would_be_found() -> None:
    text = render(Rendering("worker", "keda"))
    assert "maxReplicaCount" in text
    assert problems(text.replace("maxReplicaCount", "maxReplicas"), KUBERNETES[-1])
