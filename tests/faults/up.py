"""`taskhub up` as a process of its own, which a test may kill whole and start again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import psutil

from taskhub_local.errors import LocalError, NotRunningError
from taskhub_local.faults.host import free_ports
from taskhub_local.faults.kinds import MODULE
from taskhub_local.platform.runfile import PartState, RunInfo, read_run
from taskhub_local.process.leftovers import remove_all

_SETTLED = {PartState.READY, PartState.UNAVAILABLE}


class Up:
    """One state folder, one set of ports, and the process that now holds them."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.ports = free_ports()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns at once. Its output goes to up.log beside the state folder."""
        options = [f"--{name.replace('_', '-')}-port={port}" for name, port in asdict(self.ports).items()]
        with (self.state.parent / "up.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "taskhub_local", "--state-dir", str(self.state), "up", *options],
                env={**os.environ, "TASKHUB_JOB_KIND_MODULES": json.dumps([MODULE])},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def describe(self) -> RunInfo:
        """Say what runs. Raises NotRunningError."""
        return read_run(self.state)

    def wait(self, *, seconds: float) -> None:
        """Wait until every part is ready. Raises LocalError."""
        deadline = time.monotonic() + seconds
        while True:
            with suppress(NotRunningError):
                parts = self.describe().parts
                if parts and all(part.state in _SETTLED for part in parts):
                    return
            if time.monotonic() > deadline or (self._process is not None and self._process.poll() is not None):
                raise LocalError(f"the platform did not start: see {self.state.parent / 'up.log'}")
            time.sleep(0.1)

    def kill_everything(self) -> int:
        """kill -9 of `taskhub up` and of every process that it started; return how many those were."""
        assert self._process is not None
        supervisor = psutil.Process(self._process.pid)
        family = [supervisor, *supervisor.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        self._process.wait()
        return len(family)

    def stop(self) -> None:
        """Stop it in good order, and whatever is left."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(180)
        remove_all(self.state / "run", self.state)


@contextmanager
def running_up(state: Path) -> Iterator[Up]:
    """Run the platform inside the block."""
    up = Up(state)
    try:
        up.start()
        up.wait(seconds=300)
        yield up
    finally:
        up.stop()
