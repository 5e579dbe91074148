"""The programs of Prometheus that the tests run: promtool and amtool."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

_PACKAGES = {
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
    "alertmanager": "prometheus-alertmanager",
}


def missing(program: str) -> NoReturn:
    """Skips the test; in CI it fails."""
    reason = f"{program} is not installed (Debian: apt-get install {_PACKAGES[program]})"
    if os.environ.get("CI"):
        pytest.fail(f"CI must test with {program}: {reason}")
    pytest.skip(reason)


def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs it to its end. Where it is not installed, the test is skipped; in CI that is a failure."""
    path = shutil.which(program)
    if path is None:
        missing(program)
    command = [path, *map(str, arguments)]
    # Both outputs as one: promtool says what it tests on one of them, and what failed on the other.
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100, check=False
    )


def alertmanager_program() -> str:
    """The path of Alertmanager, which Debian calls otherwise."""
    return shutil.which("alertmanager") or shutil.which("prometheus-alertmanager") or missing("alertmanager")
