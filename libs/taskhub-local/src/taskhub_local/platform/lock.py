"""One `taskhub up` per state folder: a lock that the kernel gives back when its holder dies."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taskhub_local.errors import AlreadyRunningError
from taskhub_local.platform.runfile import run_file, supervisor_record
from taskhub_local.process.record import ProcessRecord


@contextmanager
def state_lock(state: Path) -> Iterator[int | None]:
    """Hold the state folder; yield the pid of an earlier holder that died without giving it back, if there was one.

    Raises AlreadyRunningError, naming the holder, if somebody has it.
    """
    state.mkdir(parents=True, exist_ok=True)
    record = supervisor_record(state)
    with (state / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = ProcessRecord.read(record)
            who = f"process {holder.pid}" if holder else "another process"
            raise AlreadyRunningError(
                f"{who} already runs the platform in {state}. See it with: make status. Stop it with: make down"
            ) from error
        stale = ProcessRecord.read(record)
        ProcessRecord.of("up", os.getpid(), signal.SIGTERM).write(record)
        try:
            yield None if stale is None else stale.pid
        finally:
            run_file(state).unlink(missing_ok=True)
            record.unlink(missing_ok=True)
