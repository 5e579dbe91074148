"""A release's tag says what everything in it says, or there is no release."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tools import release

ROOT = Path(__file__).parents[2]
VERSION = yaml.safe_load((ROOT / "charts/api/Chart.yaml").read_text())["version"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of every file that says a version."""
    for path, _ in release.versions(ROOT):
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
    return tmp_path


def test_charts_images_packages_and_changelog_say_one_version() -> None:
    assert release.problems(f"v{VERSION}") == []


def test_the_files_that_say_a_version_are_known() -> None:
    said = {path for path, _ in release.versions(ROOT)}
    assert said >= {"pyproject.toml", "apps/worker/pyproject.toml", "libs/taskhub-core/pyproject.toml", "CHANGELOG.md"}
    assert said >= {f"apps/{name}/Dockerfile" for name in release.images()}
    assert said >= {f"charts/{name}/Chart.yaml" for name in (*release.charts(), "common", "backing")}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("pyproject.toml", f'version = "{VERSION}"'),
        ("apps/api/pyproject.toml", f'version = "{VERSION}"'),
        ("libs/taskhub-core/pyproject.toml", f'version = "{VERSION}"'),
        ("apps/api/Dockerfile", f"ARG VERSION={VERSION}"),
        ("charts/api/Chart.yaml", f"\nversion: {VERSION}"),
        ("charts/api/Chart.yaml", f'\nappVersion: "{VERSION}"'),
        ("charts/api/Chart.yaml", f"\n    version: {VERSION}"),
        ("charts/common/Chart.yaml", f"\nversion: {VERSION}"),
        ("CHANGELOG.md", f"## [{VERSION}]"),
    ],
)
def test_one_place_that_says_another_version_is_named(tree: Path, path: str, said: str) -> None:
    file = tree / path
    text = file.read_text()
    assert said in text
    file.write_text(text.replace(said, said.replace(VERSION, "9.8.7"), 1))
    assert release.problems(f"v{VERSION}", tree) == [f"{path} says 9.8.7, the tag says {VERSION}"]


def test_an_image_without_a_version_is_named(tree: Path) -> None:
    file = tree / "apps/api/Dockerfile"
    file.write_text(file.read_text().replace("ARG VERSION", "ARG EDITION"))
    assert release.problems(f"v{VERSION}", tree) == [f"apps/api/Dockerfile says none, the tag says {VERSION}"]


@pytest.mark.parametrize("tag", ["main", VERSION, f"v{VERSION}-rc.1", "v1", f"v{VERSION}\n", ""])
def test_what_is_no_releases_tag_is_refused(tag: str) -> None:
    assert release.problems(tag) == [f"{tag} is no release's tag: those look like v1.2.3"]


def _command(tag: str) -> subprocess.CompletedProcess[str]:
    script = str(ROOT / "tools/release.py")
    return subprocess.run([sys.executable, script, tag], capture_output=True, text=True, timeout=60, check=False)


def test_the_command_gives_the_workflow_what_it_needs() -> None:
    done = _command(f"v{VERSION}")
    assert done.returncode == 0, done.stderr
    outputs = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert outputs["version"] == VERSION
    assert yaml.safe_load(outputs["images"]) == release.images()
    assert yaml.safe_load(outputs["charts"]) == release.charts()


def test_the_command_fails_and_gives_nothing_when_something_differs() -> None:
    done = _command("v9.8.7")
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"release: charts/api/Chart.yaml says {VERSION}, the tag says 9.8.7" in done.stderr
