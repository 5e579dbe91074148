"""The workflows: what each may do, which actions they trust, and that a release leaves nothing out."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import release

from tests.e2e.cluster.versions import HELM

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").iterdir())
_PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")

type Job = dict[str, Any]

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    """A workflow. YAML reads its key `on` as true."""
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def jobs(path: Path) -> dict[str, Job]:
    """The jobs of a workflow by name."""
    found: dict[str, Job] = load(path)["jobs"]
    return found


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step of every job, with its place."""
    for path in WORKFLOWS:
        for name, job in jobs(path).items():
            for step in job.get("steps", []):
                yield f"{path.stem}/{name}", step


def release_job(name: str) -> Job:
    """A job of the release."""
    return jobs(ROOT / ".github/workflows/release.yaml")[name]


@every_workflow
def test_every_job_says_what_it_may_do(path: Path) -> None:
    assert "permissions" in load(path)
    for name, job in jobs(path).items():
        assert isinstance(job.get("permissions"), dict), f"{name} has whatever the repository gives by default"


def test_nothing_may_write_but_what_publishes_and_that_only_says_who_it_is() -> None:
    writes = {
        (path.stem, name, scope)
        for path in WORKFLOWS
        for name, job in jobs(path).items()
        for scope, right in job["permissions"].items()
        if right != "read"
    }
    assert writes == {("release", "publish", "id-token")}


def test_what_may_publish_runs_no_code_of_the_repository() -> None:
    used = [step.get("uses", "").partition("@")[0] for step in release_job("publish")["steps"]]
    assert "actions/checkout" not in used
    assert "actions/download-artifact" in used


@every_workflow
def test_every_action_is_a_commit_with_its_version_beside_it(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text())
    assert used
    assert [each for each in used if not each.startswith("./") and not _PINNED.fullmatch(each)] == []


def test_no_credentials_stay_in_a_checkout() -> None:
    checkouts = [(place, step) for place, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    for place, step in checkouts:
        assert step.get("with", {}).get("persist-credentials") is False, place


@every_workflow
def test_every_job_ends(path: Path) -> None:
    without_end = [name for name, job in jobs(path).items() if "uses" not in job and "timeout-minutes" not in job]
    assert without_end == []


@every_workflow
def test_runs_of_one_workflow_do_not_meet(path: Path) -> None:
    assert load(path)["concurrency"]["group"]


def test_no_script_is_put_together_from_what_others_wrote() -> None:
    """A branch's name or a title inside `${{ }}` would become part of the script: values go through variables."""
    assert [place for place, step in steps() if "${{" in step.get("run", "")] == []


def test_every_script_is_one() -> None:
    for place, step in steps():
        checked = subprocess.run(
            ["bash", "-n"], input=step.get("run", ""), capture_output=True, text=True, timeout=30, check=False
        )
        assert checked.returncode == 0, f"{place}: {checked.stderr}"


def test_ci_runs_what_anybody_can_run_and_keeps_the_reports_of_failures() -> None:
    job = jobs(ROOT / ".github/workflows/ci.yaml")["test"]
    assert job["timeout-minutes"] == 90
    assert any(".ci/run" in step.get("run", "") for step in job["steps"])
    (upload,) = (step for step in job["steps"] if step.get("uses", "").startswith("actions/upload-artifact@"))
    assert upload["if"] == "failure()"
    assert upload["with"]["path"].split() == [".taskhub/e2e", ".taskhub/faults"]
    # Without it the action leaves out folders whose names begin with a dot.
    assert upload["with"]["include-hidden-files"] is True


def test_a_release_has_every_image_that_the_registry_has_a_place_for() -> None:
    assert release_job("image")["strategy"]["matrix"]["image"] == "${{ fromJSON(needs.version.outputs.images) }}"
    assert "needs.version.outputs.images" in release_job("publish")["env"]["IMAGES"]
    places = re.search(r'variable "images" {.*?default *= (\[.*?\])', _terraform("registry/variables.tf"), re.DOTALL)
    assert places is not None
    assert set(yaml.safe_load(places.group(1))) == {f"taskhub-{image}" for image in release.images()}


def _terraform(path: str) -> str:
    return (ROOT / "infra/terraform/modules" / path).read_text()


def test_a_release_has_every_chart_that_argo_cd_applies_outside_kind() -> None:
    for job in ("chart", "publish"):
        assert "needs.version.outputs.charts" in release_job(job)["env"]["CHARTS"]
    applied = set()
    for path in (ROOT / "argocd/apps").glob("*.yaml"):
        application_set = yaml.safe_load(path.read_text())
        if "'environment': 'staging'" in str(application_set["spec"]["generators"]):
            applied |= set(re.findall(r"path: charts/([a-z-]+)", path.read_text()))
    assert set(release.charts()) == applied


def test_a_chart_that_is_not_released_is_a_library_or_for_kind_only() -> None:
    left_out = {path.parent.name for path in ROOT.glob("charts/*/Chart.yaml")} - set(release.charts())
    for name in left_out:
        chart = yaml.safe_load((ROOT / "charts" / name / "Chart.yaml").read_text())
        assert chart["type"] == "library" or "for a kind cluster only" in chart["description"], name


def test_a_release_goes_to_every_environment_that_terraform_makes() -> None:
    made = sorted(path.name for path in (ROOT / "infra/terraform/envs").iterdir() if path.is_dir())
    assert sorted(release_job("publish")["strategy"]["matrix"]["environment"]) == made


def test_what_publishes_is_who_the_role_trusts() -> None:
    """GitHub's token names the tag as its subject only in a job without an environment."""
    assert "environment" not in release_job("publish")
    triggers: dict[Any, Any] = load(ROOT / ".github/workflows/release.yaml")
    assert triggers[True] == {"push": {"tags": ["v*"]}}


def test_nothing_is_published_that_was_not_tested_scanned_and_signed_by_digest() -> None:
    assert set(release_job("publish")["needs"]) == {"version", "test", "image", "chart"}
    assert release_job("test")["uses"] == "./.github/workflows/ci.yaml"
    built = "\n".join(step.get("run", "") for step in release_job("image")["steps"])
    assert "--ignore-unfixed --severity HIGH,CRITICAL --exit-code 1" in built
    pushed = "\n".join(step.get("run", "") for step in release_job("publish")["steps"])
    assert pushed.count('cosign sign --yes "$pushed"') == 2
    assert len(re.findall(r'pushed=".*@\$\(', pushed)) == 2


def test_charts_are_packaged_and_pushed_by_the_helm_that_they_are_tested_with() -> None:
    used = re.findall(r"go install helm\.sh/helm/v3/cmd/helm@(\S+)", "\n".join(p.read_text() for p in WORKFLOWS))
    assert set(used) == {HELM}
