"""Renovate proposes newer versions of everything that is pinned, a week old at least, and merges nothing."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.cluster import golang, versions

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text())
_TRACKED = ("requirements", "tools", ".github", "argocd", "tests/e2e/cluster")
FILES = sorted(
    path.relative_to(ROOT).as_posix() for top in _TRACKED for path in (ROOT / top).rglob("*") if path.is_file()
)


def _matched(patterns: list[str]) -> list[str]:
    """The files that patterns such as `/^a$/` select, near enough to JavaScript's."""
    return [file for file in FILES if any(re.search(pattern.strip("/"), file) for pattern in patterns)]


def _found(manager: dict[str, Any]) -> Iterator[dict[str, str]]:
    for file in _matched(manager["managerFilePatterns"]):
        for each in manager["matchStrings"]:
            pattern = re.compile(each.replace("(?<", "(?P<"))
            yield from (match.groupdict() for match in pattern.finditer((ROOT / file).read_text()))


def _managers(file: str) -> list[dict[str, Any]]:
    return [one for one in CONFIG["customManagers"] if file in _matched(one["managerFilePatterns"])]


def _overrides() -> dict[str, tuple[str, str]]:
    """The package, and where its versions are looked up if not as a Go module, by the name of a pinned version."""
    return {
        name: (rule["overridePackageName"], rule.get("overrideDatasource", ""))
        for rule in CONFIG["packageRules"]
        if "overridePackageName" in rule
        for name in rule["matchDepNames"]
    }


def test_everything_waits_a_week_and_nothing_is_merged_by_itself() -> None:
    assert CONFIG["minimumReleaseAge"] == "7 days"
    assert CONFIG["internalChecksFilter"] == "strict"
    text = (ROOT / "renovate.json").read_text()
    assert '"automerge": false' in text
    assert '"automerge": true' not in text
    assert text.count("minimumReleaseAge") == 1


def test_every_update_belongs_to_a_group() -> None:
    grouped = {manager for rule in CONFIG["packageRules"] if "groupName" in rule for manager in rule["matchManagers"]}
    assert grouped == set(CONFIG["enabledManagers"])


def test_every_lock_with_hashes_is_updated() -> None:
    locks = [file for file in FILES if file.endswith(".txt") and "--hash=sha256:" in (ROOT / file).read_text()]
    assert len(locks) > 9
    assert _matched(CONFIG["pip_requirements"]["managerFilePatterns"]) == locks


def test_every_pinned_version_of_the_cluster_is_found_as_it_is() -> None:
    pinned = {name: value for name, value in vars(versions).items() if name.isupper()}
    found = {
        each["depName"]: each["currentValue"]
        for manager in _managers("tests/e2e/cluster/versions.py")
        for each in _found(manager)
    }
    assert found == pinned


def test_every_pinned_version_of_the_cluster_is_looked_up_as_what_it_is() -> None:
    assert set(_overrides()) == {name for name in vars(versions) if name.isupper()}


def test_go_programs_are_looked_up_as_the_modules_that_they_are_built_from() -> None:
    overrides = _overrides()
    programs = [each for each in golang.PROGRAMS if each.way is not golang.Way.OWN]
    assert programs
    for program in programs:
        names = [name for name in overrides if getattr(versions, name) == program.version]
        assert (program.module, "") in [overrides[name] for name in names], program.name


def test_every_chart_of_others_is_found_with_its_repository() -> None:
    (manager,) = _managers("argocd/platform/charts.yaml")
    application_set = yaml.safe_load((ROOT / "argocd/platform/charts.yaml").read_text())
    elements = application_set["spec"]["generators"][0]["matrix"]["generators"][1]["list"]["elements"]
    assert list(_found(manager)) == [
        {"depName": each["chart"], "registryUrl": each["repository"], "currentValue": each["version"]}
        for each in elements
    ]


def test_every_program_that_a_workflow_builds_is_found_as_its_module() -> None:
    (manager,) = _managers(".github/workflows/release.yaml")
    lines = [
        line
        for path in (ROOT / ".github/workflows").iterdir()
        for line in path.read_text().splitlines()
        if "go install" in line
    ]
    found = list(_found(manager))
    assert len(found) == len(lines) > 0
    assert {each["depName"] for each in found} == {
        "github.com/anchore/syft",
        "github.com/aquasecurity/trivy",
        "github.com/sigstore/cosign/v3",
        "helm.sh/helm/v3",
    }
