"""Terraform with its AWS provider from a folder of plugins: nothing is fetched or written beside the sources."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "infra/terraform"
_PROVIDER = "hashicorp/aws/5.100.0"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Terraform:
    """Runs one terraform program on a copy of the sources."""

    program: str
    sources: Path
    environment: dict[str, str]

    def run(self, folder: str, *arguments: str) -> None:
        """Runs a command in a folder of the sources, and fails with what it said if it fails."""
        command = [self.program, f"-chdir={self.sources / folder}", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, f"{' '.join(command[2:])} in {folder}:\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="session")
def terraform_program() -> str:
    """Terraform's path. Skips where it is not installed."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")
    return program


@pytest.fixture(scope="session")
def provider() -> Path:
    """The folder of the provider's program. Skips where there is none: Terraform would have to fetch it."""
    machine = platform.machine()
    system = f"{platform.system().lower()}_{_MACHINES.get(machine, machine)}"
    for plugins in _plugin_folders():
        for folder in plugins.glob(f"*/{_PROVIDER}/{system}"):
            if any(folder.glob("terraform-provider-aws*")):
                return folder
    pytest.skip(f"the provider {_PROVIDER} for {system} is in no folder of Terraform's plugins")


def _plugin_folders() -> Iterator[Path]:
    """Where Terraform itself, and those who set it up, keep providers."""
    if named := os.environ.get("TF_PLUGIN_CACHE_DIR"):
        yield Path(named)
    home = Path.home()
    yield home / ".terraform.d/plugins"
    yield home / ".terraform.d/plugin-cache"
    yield home / ".local/share/terraform/plugins"
    for shared in ("/usr/local/share/terraform", "/usr/share/terraform", "/opt/terraform"):
        yield Path(shared) / "plugins"
    yield from sorted(Path("/opt").glob("*plugins*"))


@pytest.fixture(scope="session")
def terraform(terraform_program: str, provider: Path, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Terraform with this provider and no other, on a copy of the sources, beside what reads their outputs."""
    home = tmp_path_factory.mktemp("terraform")
    sources = home / "infra/terraform"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns(".terraform", ".terraform.lock.hcl"))
    for reader in ("charts", "argocd"):
        (home / reader).symlink_to(SOURCES.parents[1] / reader)
    configuration = home / "cli.tfrc"
    # An override needs no lock file, so that 700 MB are not hashed anew by every command.
    configuration.write_text(
        f'provider_installation {{\n  dev_overrides {{\n    "hashicorp/aws" = "{provider}"\n  }}\n  direct {{}}\n}}\n'
    )
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "AWS_"))}
    environment = kept | {"TF_CLI_CONFIG_FILE": str(configuration), "CHECKPOINT_DISABLE": "1", "NO_COLOR": "1"}
    return Terraform(terraform_program, sources, environment)
