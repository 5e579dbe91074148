"""The second environment of Argo CD's cases: its charts can be rendered."""

import json
from pathlib import Path

import pytest
from tests.charts.rendering import manifests, of_kind, pods, template
from tests.e2e import preview
from tests.e2e.cluster import secrets
from tests.e2e.cluster.paths import ROOT
from tests.e2e.install import values_with_kinds

from taskhub_local.authority import new_authority


@pytest.mark.parametrize("chart", sorted(preview.VALUES))
def test_its_values_render_beside_the_first_environments(chart: str, tmp_path: Path) -> None:
    own = tmp_path / "values.yaml"
    own.write_text(json.dumps(preview.VALUES[chart]))
    first = ROOT / "argocd" / "envs" / "kind" / f"{chart}.yaml"
    rendered = template(chart, ["--values", str(first), "--values", str(own)])
    assert of_kind(manifests(rendered), "Deployment")


@pytest.mark.parametrize("chart", sorted(preview.VALUES))
def test_whatever_its_pods_mount_is_there(chart: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_authority", new_authority)
    own, kinds = tmp_path / "values.yaml", tmp_path / "kinds.yaml"
    own.write_text(json.dumps(preview.VALUES[chart]))
    kinds.write_text(json.dumps(values_with_kinds().get(chart, {})))
    first = ROOT / "argocd" / "envs" / "kind" / f"{chart}.yaml"
    objects = manifests(template(chart, ["--values", str(first), "--values", str(kinds), "--values", str(own)]))
    mounted = {
        volume["configMap"]["name"]
        for _, pod in pods(objects)
        for volume in pod["spec"].get("volumes", [])
        if "configMap" in volume
    }
    there = {one["metadata"]["name"] for one in [*of_kind(objects, "ConfigMap"), *preview.config_maps()]}
    assert mounted
    assert mounted <= there
