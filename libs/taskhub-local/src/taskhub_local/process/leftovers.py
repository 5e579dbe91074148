"""Finds and stops what a supervisor that was killed left running."""

import signal
from pathlib import Path

from taskhub_local.process.child import find_spawned, kill_orphans, stop_process
from taskhub_local.process.record import ProcessRecord

_GRACE_SECONDS = 10.0


def remove_leftover(record_path: Path, folder: Path) -> int | None:
    """Stop the recorded process if it still runs, and what a dead one left in its group; delete the record.

    `folder` is the state folder that all of them work in. Returns the pid of the process that was stopped.
    """
    record = ProcessRecord.read(record_path)
    if record is None:
        return None
    process = record.find()
    if process is None:
        kill_orphans(record.pid, folder.resolve())
    else:
        stop_process(process, ((record.stop_signal, _GRACE_SECONDS),))
    record_path.unlink(missing_ok=True)
    return None if process is None else record.pid


def remove_all(records: Path, folder: Path) -> list[tuple[str, int]]:
    """Do so for every record in a folder; return the name and pid of each process that was stopped.

    A supervisor that was killed between the start of a process and its record left one that no record tells of.
    Nobody else may run the platform in `folder` meanwhile (`state_lock`).
    """
    found = []
    for path in sorted(records.glob("*.json")):
        pid = remove_leftover(path, folder)
        if pid is not None:
            found.append((path.stem, pid))
    for process in find_spawned(folder.resolve()):
        stop_process(process, ((signal.SIGTERM, _GRACE_SECONDS),))
        found.append(("a part that was never recorded", process.pid))
    return found
