"""`make promote` changes one version file, shows what that changes, and changes nothing when it cannot."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.argocd.world import ROOT

_GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
_FOLDERS = ("argocd", "charts", "observability")


@dataclass(frozen=True)
class Clone:
    """A repository of its own, with two releases: staging runs v0.2.0, production v0.1.0."""

    root: Path

    def git(self, *arguments: str) -> str:
        """Runs git and returns what it says."""
        command = [*_GIT, "-C", str(self.root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    def commit(self, tag: str = "") -> None:
        """Commits everything, and tags it."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")
        if tag:
            self.git("tag", tag)

    def version(self, environment: str) -> Path:
        """The version file of an environment."""
        return self.root / "argocd/envs" / environment / "version.yaml"

    def replace(self, path: str, old: str, new: str) -> None:
        """Changes a file."""
        file = self.root / path
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    def promote(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs the command as make does."""
        command = [sys.executable, "-m", "tools.promote", *arguments, "--root", str(self.root)]
        return subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
        )

    def release(self, number: str) -> None:
        """Commits and tags everything, and lets staging run it."""
        self.commit(f"v{number}")
        self.run("staging", number)
        self.commit()

    def run(self, environment: str, number: str) -> None:
        """Writes what an environment runs."""
        images = "".join(f'  {name}: "{number}"\n' for name in ("api", "worker", "sqs-consumer"))
        self.version(environment).write_text(f"# What runs here.\nrevision: v{number}\nimages:\n{images}")

    def changed(self) -> list[str]:
        """The files that differ from the last commit."""
        return self.git("status", "--porcelain").split()[1::2]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone = Clone(tmp_path_factory.mktemp("promote") / "clone")
    for folder in _FOLDERS:
        shutil.copytree(
            ROOT / folder, clone.root / folder, symlinks=True, ignore=shutil.ignore_patterns("*.tgz", "__pycache__")
        )
    clone.git("init", "--quiet", "--initial-branch=main")
    clone.run("prod", "0.1.0")
    clone.release("0.1.0")
    clone.replace("charts/api/values.yaml", "minReadySeconds: 5", "minReadySeconds: 7")
    clone.replace("argocd/envs/prod/api.yaml", "maxReplicas: 24", "maxReplicas: 48")
    clone.release("0.2.0")
    return clone.root


@pytest.fixture
def clone(template: Path, tmp_path: Path) -> Clone:
    shutil.copytree(template, tmp_path / "clone", symlinks=True)
    return Clone(tmp_path / "clone")


def test_the_version_file_is_all_that_changes(clone: Clone) -> None:
    done = clone.promote("staging", "prod")
    assert done.returncode == 0, done.stderr
    assert clone.changed() == ["argocd/envs/prod/version.yaml"]
    assert clone.version("prod").read_text() == clone.version("staging").read_text()
    assert "prod: v0.1.0 -> v0.2.0" in done.stderr


def test_the_difference_has_images_charts_and_values_of_the_target(clone: Clone) -> None:
    shown = clone.promote("staging", "prod").stdout
    assert "--- before: Deployment taskhub/api\n+++ after: Deployment taskhub/api\n" in shown
    assert "/taskhub-prod/taskhub-api:0.1.0\n" in shown, "the image before"
    assert "/taskhub-prod/taskhub-api:0.2.0\n" in shown, "the image after"
    assert "/taskhub-prod/taskhub-worker:0.2.0\n" in shown
    assert "-  minReadySeconds: 5\n+  minReadySeconds: 7\n" in shown, "the chart's change"
    assert "-  maxReplicas: 24\n+  maxReplicas: 48\n" in shown, "the environment's change"
    assert "taskhub-staging" not in shown
    assert "Job taskhub/api-migrate" in shown


def test_what_does_not_change_is_not_shown(clone: Clone) -> None:
    shown = clone.promote("staging", "prod").stdout
    assert "PrometheusRule" not in shown
    assert "Elasticsearch" not in shown


def test_a_pager_may_be_left_before_the_end(clone: Clone) -> None:
    command = [sys.executable, "-m", "tools.promote", "staging", "prod", "--root", str(clone.root)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        said = running.stderr.read()
    assert running.returncode == 0, said
    assert "Traceback" not in said
    assert clone.changed() == ["argocd/envs/prod/version.yaml"]


def test_a_promotion_can_be_taken_back_by_a_revert(clone: Clone) -> None:
    clone.promote("staging", "prod")
    clone.commit()
    clone.git("revert", "--no-edit", "HEAD")
    assert "v0.1.0" in clone.version("prod").read_text()
    assert "v0.1.0 -> v0.2.0" in clone.promote("staging", "prod").stderr


def test_nothing_to_promote_is_no_error(clone: Clone) -> None:
    clone.promote("staging", "prod")
    clone.commit()
    done = clone.promote("staging", "prod")
    assert done.returncode == 0
    assert "prod runs v0.2.0 already, as staging does: nothing to promote" in done.stderr
    assert clone.changed() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("staging", "production"), "there is no environment 'production': there are kind, prod, staging"),
        (("stage", "prod"), "there is no environment 'stage'"),
        (("", "prod"), "there is no environment ''"),
        (("prod", "prod"), "prod cannot be promoted to itself"),
        (("kind", "prod"), "kind runs main, which is no release's tag"),
        (("staging", "kind"), "kind runs main, which is no release's tag"),
    ],
)
def test_a_wrong_name_is_refused_with_what_to_do(clone: Clone, arguments: tuple[str, str], sentence: str) -> None:
    done = clone.promote(*arguments)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert clone.changed() == []


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_a_version_file_that_is_not_committed_is_refused(clone: Clone, environment: str) -> None:
    file = f"argocd/envs/{environment}/version.yaml"
    clone.replace(file, "revision: v0.", "revision: v9.")
    done = clone.promote("staging", "prod")
    assert done.returncode == 1
    assert f"git restore {file}" in done.stderr
    assert "revision: v9." in (clone.root / file).read_text(), "it was left as it was"


def test_a_tag_that_the_clone_lacks_is_named(clone: Clone) -> None:
    clone.git("tag", "--delete", "v0.2.0")
    done = clone.promote("staging", "prod")
    assert done.returncode == 1
    assert "staging runs v0.2.0, and this clone has no such tag. Get it with: git fetch --tags" in done.stderr
    assert clone.changed() == []


def test_a_file_that_is_no_version_is_named(clone: Clone) -> None:
    clone.version("staging").write_text("tag: v0.2.0\n")
    clone.commit()
    done = clone.promote("staging", "prod")
    assert done.returncode == 1
    assert "argocd/envs/staging/version.yaml is no version file" in done.stderr


def test_a_release_that_cannot_be_rendered_is_not_promoted(clone: Clone) -> None:
    clone.replace("argocd/envs/prod/api.yaml", "maxReplicas: 48", "maxReplicas: 2")
    clone.release("0.3.0")
    done = clone.promote("staging", "prod")
    assert done.returncode == 1
    assert "autoscaling.maxReplicas (2) is below autoscaling.minReplicas (3)" in done.stderr
    assert clone.changed() == []


def test_without_helm_nothing_is_promoted(clone: Clone, tmp_path: Path) -> None:
    """Neither Helm, nor a cache that has it, nor a proxy of which it could be built."""
    nowhere = {"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache"), "GOPROXY": "off", "GOFLAGS": ""}
    done = clone.promote("staging", "prod", **nowhere, GOMODCACHE=str(tmp_path / "modules"))
    assert done.returncode == 1
    assert done.stderr.startswith("promote: ")
    assert "Traceback" not in done.stderr
    assert clone.changed() == []
