"""The Terraform sources are formatted and valid, and each module keeps what its own tests promise (on a mocked AWS)."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.terraform.conftest import SOURCES, Terraform

# A folder with a versions.tf stands on its own: a module, or an environment of modules.
FOLDERS = sorted(str(file.parent.relative_to(SOURCES)) for file in SOURCES.glob("*/*/versions.tf"))


def test_sources_are_formatted(terraform_program: str) -> None:
    command = [terraform_program, "fmt", "-check", "-diff", "-recursive", str(SOURCES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"terraform fmt -recursive {SOURCES.name} would change:\n{done.stdout}{done.stderr}"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("folder", FOLDERS)
def test_its_promises_hold_one_by_one(terraform: Terraform, folder: str) -> None:
    terraform.run(folder, "get")
    if folder.startswith("envs/"):  # which validates every module with it, and `test` validates what it runs
        terraform.run(folder, "validate")
    terraform.run(folder, "test")


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_has_tests_and_pins_the_provider_exactly(folder: str) -> None:
    assert list((SOURCES / folder / "tests").glob("*.tftest.hcl")), f"{folder} has no tests"
    assert re.search(r'version\s*=\s*"5\.100\.0"', (SOURCES / folder / "versions.tf").read_text())


@pytest.mark.parametrize("kind", ["variable", "output"])
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_variable_and_output_is_described(folder: str, kind: str) -> None:
    for file in sorted((SOURCES / folder).glob("*.tf")):
        for name, body in _blocks(file, kind):
            assert re.search(r"^  description = .", body, re.MULTILINE), (
                f"{file.name}: {kind} {name} has no description"
            )
            if kind == "variable":
                assert re.search(r"^  type +=", body, re.MULTILINE), f"{file.name}: variable {name} has no type"


def _blocks(file: Path, kind: str) -> list[tuple[str, str]]:
    """Names and bodies of the blocks of a kind. A formatted block ends with the first brace at the start of a line."""
    return re.findall(rf'^{kind} "(\w+)" {{\n(.*?)^}}', file.read_text(), re.MULTILINE | re.DOTALL)
