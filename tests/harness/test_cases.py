"""The cases of make e2e: all of them are in the order of the run, and their job kinds work without the driver."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e import cases
from tests.e2e.install import driver_files
from tests.e2e.reach import from_outside

from taskhub_local.faults.judge_jobs import SUBMITTED_KINDS
from taskhub_local.faults.kinds import MODULE


def test_every_case_has_its_place_in_the_run() -> None:
    defined = [case.name for module in cases.MODULES for case in module.CASES]
    assert sorted(defined) == sorted(cases.CASES)


def test_cases_are_also_chosen_by_their_module() -> None:
    assert {name for names in cases.GROUPS.values() for name in names} == set(cases.CASES)
    assert cases.GROUPS["gitops"] == {name for name in cases.CASES if name.startswith("gitops_")}


@pytest.mark.parametrize("case", cases.CASES.values(), ids=lambda case: case.name)
def test_a_case_says_what_it_does_and_has_a_budget(case: cases.ClusterCase) -> None:
    assert case.breaks
    assert case.counted_from
    assert case.budget_seconds > 0


def test_the_job_kinds_load_from_the_files_that_are_given_to_the_apps(tmp_path: Path) -> None:
    """With nothing else of the driver: as in the images, which carry only the apps."""
    for path, content in driver_files().items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from taskhub_core.jobs.registry import registry\n"
        f"print(*(kind.name for kind in registry.load([{MODULE!r}]).all()))\n"
        "import taskhub_local; print(taskhub_local.__file__)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kinds, source = result.stdout.splitlines()
    assert set(kinds.split()) >= SUBMITTED_KINDS
    assert source.startswith(str(tmp_path))


def test_an_address_inside_the_cluster_becomes_one_of_this_machine() -> None:
    inside = "postgresql://taskhub:s3cret@postgres.taskhub-backing:5432/taskhub?sslmode=disable"
    assert from_outside(inside, 15432) == "postgresql://taskhub:s3cret@127.0.0.1:15432/taskhub?sslmode=disable"
    assert from_outside("http://elasticsearch:9200", 19200) == "http://127.0.0.1:19200"
