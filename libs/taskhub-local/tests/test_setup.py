"""The Makefile and the setup script: every target is documented, and setting up again costs nothing."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def test_make_help_lists_every_target() -> None:
    targets = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    defined = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make (\S+) +\S", shown, re.MULTILINE)) == targets == defined


def test_the_fingerprint_changes_with_any_lock_or_project_file(tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / "tools" / "bootstrap.py"))
    copy = tmp_path / "clone"
    for file in (ROOT / "tools" / "bootstrap.py", ROOT / "requirements" / "dev.txt", *ROOT.glob("*/*/pyproject.toml")):
        target = copy / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    fresh = runpy.run_path(str(copy / "tools" / "bootstrap.py"))
    before = fresh["fingerprint"]()
    assert before == script["fingerprint"]()
    with (copy / "libs" / "taskhub-core" / "pyproject.toml").open("a") as project:
        project.write("\n# changed\n")
    assert fresh["fingerprint"]() != before


def test_a_shim_that_does_not_run_is_not_taken_for_a_python(tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / "tools" / "bootstrap.py"))
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\necho 'this version is not installed' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert not script["runs_as_wanted"](shim)
    assert not script["runs_as_wanted"](tmp_path / "missing")
    assert script["runs_as_wanted"](sys.executable) == (sys.version_info[:2] in {(3, 12), (3, 13), (3, 14)})


@pytest.mark.parametrize("name", ["lock.sh", "lint.sh"])
def test_shell_scripts_are_well_formed(name: str) -> None:
    subprocess.run(["bash", "-n", str(ROOT / "tools" / name)], check=True)
