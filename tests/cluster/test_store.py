"""An artefact is made once, and is complete or absent whatever interrupts its making."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.e2e.cluster.paths import ROOT
from tests.e2e.cluster.store import Artefact, Kind, ensure, link, locked

ARTEFACT = Artefact("thing", "v1.2.3", Kind.PROGRAM)

# Writes half of a file, says so, and then waits to be killed.
_HALF = """
import sys, time
from tests.e2e.cluster.store import Artefact, Kind, ensure

def make(target, scratch):
    target.write_text("half")
    print("half", flush=True)
    time.sleep(600)

ensure(Artefact("thing", "v1.2.3", Kind.PROGRAM), make)
"""
_WHOLE = """
import pathlib, sys, time
from tests.e2e.cluster.store import Artefact, Kind, ensure

def make(target, scratch):
    with open(sys.argv[1], "a") as count:
        count.write("made\\n")
    time.sleep(0.5)
    target.write_text("whole")

print(ensure(Artefact("thing", "v1.2.3", Kind.PROGRAM), make).read_text())
"""


def whole(target: Path, scratch: Path) -> None:
    """Make it as it should be."""
    target.write_text("whole")


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start Python with this script, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True
    )


def test_a_killed_run_leaves_nothing_that_looks_complete_and_the_next_run_clears_its_remains(
    cache_folder: Path,
) -> None:
    process = start(_HALF)
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    process.stdout.close()

    assert not ARTEFACT.exists()
    assert list((cache_folder / "scratch").iterdir()), "the killed run had begun"

    assert ensure(ARTEFACT, whole).read_text() == "whole"
    assert list((cache_folder / "scratch").iterdir()) == []


def test_two_runs_that_want_the_same_make_it_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    runs = [start(_WHOLE, str(count)) for _ in range(2)]
    said = [run.communicate(timeout=60)[0] for run in runs]
    assert said == ["whole\n", "whole\n"]
    assert count.read_text() == "made\n"


def test_a_failed_making_leaves_no_artefact() -> None:
    def fail(target: Path, scratch: Path) -> None:
        target.write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        ensure(ARTEFACT, fail)
    assert not ARTEFACT.exists()


def test_what_is_there_is_not_made_again() -> None:
    ensure(ARTEFACT, whole)

    def never(target: Path, scratch: Path) -> None:
        raise AssertionError("made again")

    assert ensure(ARTEFACT, never).read_text() == "whole"


def test_a_new_version_lies_beside_the_old_one_and_takes_the_plain_name() -> None:
    newer = Artefact("thing", "v1.3.0", Kind.PROGRAM)
    ensure(ARTEFACT, whole)
    plain = link(ARTEFACT)
    assert plain.readlink() == Path("thing-v1.2.3")

    ensure(newer, whole)
    assert link(newer).readlink() == Path("thing-v1.3.0")
    assert ARTEFACT.exists()


def test_a_lock_is_given_back_when_its_holder_is_killed() -> None:
    script = (
        "import time\nfrom tests.e2e.cluster.store import locked\n"
        "with locked('engine'):\n    print('held', flush=True)\n    time.sleep(600)\n"
    )
    process = start(script)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.wait(timeout=30)
    process.stdout.close()
    began = time.monotonic()
    with locked("engine"):
        assert time.monotonic() - began < 30
