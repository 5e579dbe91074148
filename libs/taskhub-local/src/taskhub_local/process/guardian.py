"""Stops a group of servers when the process that they were started for is gone and could not do it itself."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import psutil

from taskhub_local.process.leftovers import remove_leftover
from taskhub_local.process.record import ProcessRecord

GUARDIAN = "guardian"
_POLL_SECONDS = 1.0


def main() -> None:
    """Watch the owner (first argument: its pid) of the servers' folder (second argument) until either is gone."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    owner, folder = int(sys.argv[1]), Path(sys.argv[2])
    while folder.exists():
        if not is_alive(owner):
            stop_all(folder)
            return
        time.sleep(_POLL_SECONDS)


def stop_all(folder: Path) -> None:
    """Stop every process that is recorded in the folder's `run` (except this one) and delete the folder."""
    # The guardian goes first: it must not do the same work at the same time.
    for path in sorted((folder / "run").glob("*.json"), key=lambda path: path.stem != GUARDIAN):
        record = ProcessRecord.read(path)
        if record is not None and record.pid != os.getpid():
            remove_leftover(path, folder)
    shutil.rmtree(folder, ignore_errors=True)


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    main()
