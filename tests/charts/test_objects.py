"""Exactly the objects that are meant to be there, each with the labels by which it is found."""

import pytest
import yaml

from tests.charts import objects
from tests.charts.rendering import Rendering, manifests, render, renderings

_LABELS = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
}


@pytest.mark.parametrize("rendering", renderings(), ids=str)
def test_a_chart_makes_exactly_these_objects(rendering: Rendering) -> None:
    known = yaml.safe_load(objects.FILE.read_text())
    made = objects.names(rendering)
    assert made == known[str(rendering)], "if it is meant, run python -m tests.charts.objects"
    assert len(set(made)) == len(made)


def test_no_values_file_is_forgotten() -> None:
    assert set(yaml.safe_load(objects.FILE.read_text())) == {str(each) for each in renderings()}


@pytest.mark.parametrize("rendering", renderings(), ids=str)
def test_every_object_says_what_it_belongs_to(rendering: Rendering) -> None:
    for each in manifests(render(rendering)):
        missing = _LABELS - set(each["metadata"].get("labels", {}))
        if rendering.chart == "backing":  # the version of what, of five servers?
            missing -= {"app.kubernetes.io/version"}
        assert not missing, f"{each['kind']} {each['metadata']['name']} lacks {sorted(missing)}"


@pytest.mark.parametrize("rendering", renderings(), ids=str)
def test_every_selector_finds_pods_of_its_own_release(rendering: Rendering) -> None:
    made = manifests(render(rendering))
    templates = [each["spec"]["template"] for each in made if each["kind"] in ("Deployment", "StatefulSet")]
    labels = [template["metadata"]["labels"] for template in templates]
    for each in made:
        if each["kind"] not in ("Service", "PodDisruptionBudget"):
            continue
        selector = each["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        found = [one for one in labels if wanted.items() <= one.items()]
        assert len(found) == 1, f"{each['kind']} {each['metadata']['name']} selects {len(found)} workloads"
