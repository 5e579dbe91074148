"""The second environment of Argo CD's cases: its charts can be rendered."""

import json
from pathlib import Path

import pytest
from tests.charts.rendering import manifests, of_kind, template
from tests.e2e import preview
from tests.e2e.cluster.paths import ROOT


@pytest.mark.parametrize("chart", sorted(preview.VALUES))
def test_its_values_render_beside_the_first_environments(chart: str, tmp_path: Path) -> None:
    own = tmp_path / "values.yaml"
    own.write_text(json.dumps(preview.VALUES[chart]))
    first = ROOT / "argocd" / "envs" / "kind" / f"{chart}.yaml"
    rendered = template(chart, ["--values", str(first), "--values", str(own)])
    assert of_kind(manifests(rendered), "Deployment")
