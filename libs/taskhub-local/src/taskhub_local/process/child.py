"""Starts one child process in its own session and stops it, and whatever it started, within a deadline."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

LOG_ROTATE_BYTES = 10 * 1024 * 1024
KILL_NOW = threading.Event()
"""Set when the person does not want to wait for graceful stops any more (a second Ctrl-C)."""


def open_log(path: Path) -> int:
    """Open a log for appending and return its file descriptor; one larger than 10 MB is moved aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.stat().st_size > LOG_ROTATE_BYTES:
            path.replace(path.with_suffix(path.suffix + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def spawn(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a command whose output goes to a log file.

    The child leads its own session: Ctrl-C in the terminal reaches only the supervisor, which then stops its
    children in order.
    """
    output = open_log(log)
    try:
        return subprocess.Popen(  # noqa: S603 - commands are built by this package, never from input
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    finally:
        os.close(output)


def disown(child: subprocess.Popen[bytes]) -> None:
    """Tell Popen that nobody will wait for this child: otherwise it warns when it is collected before its end."""
    child.returncode = 0


def stop_process(process: psutil.Process, signals: Iterable[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn, waiting up to its seconds for the end; SIGKILL comes last in any case.

    A stopped (frozen) process is continued so that it can act on the signal. What is left of its group, and
    children that moved to groups of their own, end with it.
    """
    family = _descendants(process)
    for number, seconds in signals:
        if not _send(process, number):
            break
        for frozen in (process, *family):
            _send(frozen, signal.SIGCONT)
        if _wait_gone(process, number, seconds):
            break
    else:
        _send(process, signal.SIGKILL)
        _wait_gone(process, signal.SIGKILL, 10.0)
    for child in family:
        _send(child, signal.SIGKILL)
    kill_group(process.pid)


def kill_group(leader_pid: int) -> None:
    """SIGKILL what is left of the process group of a child that `spawn` started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader_pid, signal.SIGKILL)


def kill_orphans(leader_pid: int, folder: Path) -> None:
    """SIGKILL what a leader that is long dead left running in its group.

    Only processes that work inside `folder` count: after a reboot the same number may name somebody else's group.
    """
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) == leader_pid and Path(process.cwd()).is_relative_to(folder):
                process.kill()


def find_spawned(folder: Path) -> list[psutil.Process]:
    """Return what `spawn` started for a part in `folder` and what still runs, without what that started itself.

    Known by leading a session while working in the folder with a file of it open, as its log is. (A variable would not
    do: PostgreSQL and Redis write over theirs.)
    """
    found = {process.pid: process for process in psutil.process_iter() if _works_in(process, folder)}
    with_parents = [(process, _parent_pid(process)) for process in found.values()]
    return [process for process, parent in with_parents if parent is not None and parent not in found]


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return (
            os.getsid(process.pid) == process.pid
            and Path(process.cwd()).is_relative_to(folder)
            and any(Path(file.path).is_relative_to(folder) for file in process.open_files())
        )
    except (psutil.Error, OSError):  # gone meanwhile, or somebody else's
        return False


def _parent_pid(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return None


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _send(process: psutil.Process, number: signal.Signals) -> bool:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def _wait_gone(process: psutil.Process, number: signal.Signals, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not (KILL_NOW.is_set() and number is not signal.SIGKILL):
        try:
            # wait() reaps our own child and polls anybody else's.
            process.wait(timeout=0.2)
        except psutil.TimeoutExpired:
            if _is_zombie(process):
                return True
        else:
            return True
    return False


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
