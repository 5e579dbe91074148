"""Remembers which process a part runs as, so that a later command finds exactly that one and no other."""

import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_CREATE_TIME_TOLERANCE_SECONDS = 0.05


@dataclass(frozen=True)
class ProcessRecord:
    """One process, named by pid and start time: a pid alone may have been given to another process since."""

    name: str
    pid: int
    create_time: float
    stop_signal: signal.Signals

    @classmethod
    def of(cls, name: str, pid: int, stop_signal: signal.Signals) -> "ProcessRecord":
        """Describe a running process. Raises psutil.NoSuchProcess if it has already ended."""
        return cls(name, pid, psutil.Process(pid).create_time(), stop_signal)

    def find(self) -> psutil.Process | None:
        """Return the process if it still runs, else None. A zombie counts as ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) <= _CREATE_TIME_TOLERANCE_SECONDS
            if not same or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except psutil.NoSuchProcess:
            return None
        return process

    def write(self, path: Path) -> None:
        """Store the record; a reader sees the old one or the new one, never half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(asdict(self)))
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> "ProcessRecord | None":
        """Load a record, or None when there is none or it is unreadable (then nothing can be said about a process)."""
        try:
            data = json.loads(path.read_text())
            stop_signal = signal.Signals(data["stop_signal"])
            return cls(str(data["name"]), int(data["pid"]), float(data["create_time"]), stop_signal)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
