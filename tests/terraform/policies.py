"""Asks checkov for settings that are known to be unsafe, by tools/policy-scan.sh."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_LOCK = ROOT / ".taskhub/tools/policy-scan.lock"


def findings(folder: Path) -> str:
    """What it has to say against the sources in a folder; empty if nothing.

    Skips where it cannot be installed, but never in CI.
    """
    _install()
    done = _run(str(folder))
    assert done.returncode in (0, 1), done.stderr
    return done.stdout if done.returncode else ""


def _install() -> None:
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other processes of this run want it, too
        done = _run("--install")
    if done.returncode == 0:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must scan with checkov: {done.stderr}")
    pytest.skip(f"checkov could not be installed: {done.stderr}")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "tools/policy-scan.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
