"""The values that the cases of Argo CD commit: changed deeply, and tags stay text."""

from pathlib import Path

import yaml
from tests.e2e.repository import set_values


def test_values_are_changed_deeply_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "api.yaml"
    path.write_text("resources: {requests: {cpu: 250m, memory: 128Mi}}\nreplicas: 2\n")
    set_values(path, {"resources": {"requests": {"memory": "24Mi"}}, "podAnnotations": {"a": "b"}})
    assert yaml.safe_load(path.read_text()) == {
        "resources": {"requests": {"cpu": "250m", "memory": "24Mi"}},
        "replicas": 2,
        "podAnnotations": {"a": "b"},
    }


def test_a_link_becomes_a_file_of_its_own(tmp_path: Path) -> None:
    """Argo CD's values for kind are links to the charts' own, which no test may change."""
    (tmp_path / "charts.yaml").write_text("replicas: 2\n")
    link = tmp_path / "api.yaml"
    link.symlink_to("charts.yaml")
    set_values(link, {"replicas": 3})
    assert not link.is_symlink()
    assert (tmp_path / "charts.yaml").read_text() == "replicas: 2\n"


def test_a_tag_that_looks_like_a_number_stays_text(tmp_path: Path) -> None:
    """12345e678901 is infinity to YAML in Go, unless it is quoted."""
    path = tmp_path / "version.yaml"
    path.write_text("images: {}\n")
    set_values(path, {"images": {"api": "12345e678901"}})
    assert '"12345e678901"' in path.read_text()
