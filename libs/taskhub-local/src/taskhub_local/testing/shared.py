"""Servers that one test run shares: started by the first test process that wants one, stopped by the run itself."""

import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from taskhub_local.parts.base import Part, PartFolders
from taskhub_local.ports import any_free
from taskhub_local.process.child import disown, spawn
from taskhub_local.process.guardian import GUARDIAN
from taskhub_local.process.record import ProcessRecord


class SharedServers:
    """The servers of one test run, in one folder that all its test processes know."""

    def __init__(self, folder: Path, owner_pid: int) -> None:
        """`owner_pid` is the process whose end ends the servers: pytest itself, not one of its xdist workers."""
        self.folders = PartFolders(folder)
        self.owner_pid = owner_pid

    def start_once[P: Part](self, name: str, build: Callable[[PartFolders, int], P]) -> P:
        """Return the part, started by the test process that came first. `build` takes the folders and a port."""
        with self._locked(name):
            ports = self.folders.state / f"{name}.port"
            if ports.exists():
                return build(self.folders, int(ports.read_text()))
            self._start_guardian_once()
            port = any_free()
            part = build(self.folders, port)
            part.start()
            try:
                part.wait_ready()
            except Exception:
                part.stop()
                raise
            part.release()
            ports.write_text(str(port))
            return part

    def _start_guardian_once(self) -> None:
        with self._locked(GUARDIAN):
            path = self.folders.record(GUARDIAN)
            if path.exists():
                return
            command = (
                sys.executable,
                "-m",
                "taskhub_local.process.guardian",
                str(self.owner_pid),
                str(self.folders.state),
            )
            child = spawn(command, log=self.folders.log(GUARDIAN), environment=os.environ)
            ProcessRecord.of(GUARDIAN, child.pid, signal.SIGINT).write(path)
            disown(child)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.folders.state / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
