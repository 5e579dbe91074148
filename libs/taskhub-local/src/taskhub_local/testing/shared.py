"""Servers that one test run shares: started by the first test process that wants one, stopped by the run itself."""

import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from taskhub_local.parts.base import Part, PartFolders
from taskhub_local.ports import any_free
from taskhub_local.process.child import disown, spawn
from taskhub_local.process.leftovers import remove_leftover
from taskhub_local.process.record import ProcessRecord

_GUARDIAN = "guardian"


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
        with self._locked(_GUARDIAN):
            path = self.folders.record(_GUARDIAN)
            if path.exists():
                return
            command = (
                sys.executable,
                "-m",
                "taskhub_local.testing.guardian",
                str(self.owner_pid),
                str(self.folders.state),
            )
            child = spawn(command, log=self.folders.log(_GUARDIAN), environment=os.environ)
            ProcessRecord.of(_GUARDIAN, child.pid, signal.SIGINT).write(path)
            disown(child)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.folders.state / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def stop_all(folder: Path) -> None:
    """Stop every server that is recorded in the folder (except this process) and delete the folder."""
    # The guardian goes first: it must not do the same work at the same time.
    records = sorted(PartFolders(folder).record("x").parent.glob("*.json"), key=lambda path: path.stem != _GUARDIAN)
    for path in records:
        record = ProcessRecord.read(path)
        if record is not None and record.pid != os.getpid():
            remove_leftover(path, folder)
    shutil.rmtree(folder, ignore_errors=True)


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
