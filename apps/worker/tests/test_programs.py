"""The two command lines."""

import subprocess
import sys

import pytest


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"taskhub_worker.{program}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={})


@pytest.mark.parametrize("program", ["worker", "dispatcher"])
def test_version_and_settings_need_no_environment(program: str) -> None:
    version = _run(program, "--version")
    assert (version.returncode, version.stdout.split()[0]) == (0, f"taskhub-{program}")
    listing = _run(program, "settings")
    assert listing.returncode == 0
    assert "TASKHUB_DATABASE_URL  (URL; required)\n    PostgreSQL, as postgresql://" in listing.stdout
    paragraphs = listing.stdout.strip().split("\n\n")
    assert all(len(paragraph.splitlines()) >= 2 for paragraph in paragraphs), "a setting without a meaning"


def test_the_workers_processes_and_the_dispatchers_window_are_settings() -> None:
    assert "TASKHUB_WORKER_PROCESSES  (int; default: 2)" in _run("worker", "settings").stdout
    assert "TASKHUB_DISPATCH_WINDOW  (int; default: 1000)" in _run("dispatcher", "settings").stdout
