"""What every part has in common: it starts, says when it is ready, stops, and may be killed, frozen and restarted."""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from taskhub_local.errors import PartFailedError
from taskhub_local.process.child import disown, kill_group, spawn, stop_process
from taskhub_local.process.leftovers import remove_leftover
from taskhub_local.process.record import ProcessRecord

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class PartFolders:
    """Where a part keeps its things inside the state folder."""

    state: Path

    def data(self, name: str) -> Path:
        """The folder that only this part writes to."""
        return self.state / name

    def log(self, name: str) -> Path:
        """The file that takes the part's output."""
        return self.state / "logs" / f"{name}.log"

    def record(self, name: str) -> Path:
        """The file that remembers the part's process."""
        return self.state / "run" / f"{name}.json"


class Part(ABC):
    """One process (and what it starts) of the platform.

    `start` returns at once; `wait_ready` waits. Every method may be called again after the process died: that is
    what the supervisor and the fault driver do.
    """

    ready_deadline_seconds: float = 30.0
    """How long `wait_ready` waits unless told otherwise."""

    stop_signals: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 10.0),)
    """Signals for a graceful stop, each with the seconds it is given; SIGKILL follows the last."""

    def __init__(self, name: str, folders: PartFolders, *, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.folders = folders
        self.environment: dict[str, str] = {**os.environ, **(environment or {})}
        self._child: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command line that runs this part."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where its clients find it."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the part answers right now. Never raises for a part that is merely down."""

    def prepare(self) -> None:  # noqa: B027 - most parts need nothing before the start
        """Create what the process needs before it starts. Safe to call again."""

    def after_ready(self) -> None:  # noqa: B027 - most parts need nothing after the start
        """Create what clients need once it answers (a database, queues). Runs after every start; safe to call again."""

    @property
    def log(self) -> Path:
        """The file that takes this part's output."""
        return self.folders.log(self.name)

    @property
    def pid(self) -> int | None:
        """The process to signal, or None while there is none."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """How the last process ended (negative: by that signal), or None while it runs or was never started."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Start the process and return at once. A process that a dead supervisor left behind is stopped first."""
        self.remove_leftover()
        self.prepare()
        self._child = spawn(self.command(), log=self.log, environment=self.environment, folder=self.folders.state)
        self._remember(self._child.pid)

    def wait_ready(
        self, deadline_seconds: float | None = None, *, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        """Wait until the part answers, then run `after_ready`.

        Raises PartFailedError if it ends, is too slow, or `cancelled` comes true.
        """
        seconds = self.ready_deadline_seconds if deadline_seconds is None else deadline_seconds
        deadline = time.monotonic() + seconds
        while True:
            answers = self.is_ready()
            # Asked after, not before: an answer counts only if it cannot be that of another server on our port.
            if self.exit_code is not None:
                raise PartFailedError(f"{self.name} ended with code {self.exit_code}; {self._last_words()}")
            if answers:
                break
            if cancelled():
                raise PartFailedError(f"{self.name} is no longer wanted")
            if time.monotonic() > deadline:
                raise PartFailedError(f"{self.name} was not ready after {seconds:.0f} s; see {self.log}")
            time.sleep(_POLL_SECONDS)
        self.after_ready()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the process: SIGSTOP freezes it, SIGCONT thaws it. Raises PartFailedError if it is down."""
        pid = self.pid
        if pid is None:
            raise PartFailedError(f"{self.name} does not run: nothing to send {number.name} to")
        os.kill(pid, number)

    def stop(self) -> None:
        """Stop gracefully, then by force, and forget the process. A part that does not run is left alone."""
        child = self._child  # two threads may stop a part: whoever gives it up, and its keeper
        if child is not None:
            if child.poll() is None:
                stop_process(psutil.Process(child.pid), self.stop_signals)
            else:
                kill_group(child.pid)
            child.wait()
            self._child = None
        self.folders.record(self.name).unlink(missing_ok=True)

    def release(self) -> None:
        """Let the process run on without this object; whoever stops it finds it by its record."""
        if self._child is not None:
            disown(self._child)
            self._child = None

    def restart(self, deadline_seconds: float | None = None) -> None:
        """Stop, start and wait until ready."""
        self.stop()
        self.start()
        self.wait_ready(deadline_seconds)

    def remove_leftover(self) -> int | None:
        """Stop a process of this part that an earlier supervisor left behind; return its pid if there was one."""
        return remove_leftover(self.folders.record(self.name), self.folders.state)

    def _remember(self, pid: int) -> None:
        try:
            ProcessRecord.of(self.name, pid, self.stop_signals[0][0]).write(self.folders.record(self.name))
        except psutil.NoSuchProcess as error:  # ended within microseconds: wait_ready reports it
            raise PartFailedError(f"{self.name} ended at once; {self._last_words()}") from error

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except FileNotFoundError:
            lines = []
        return f"its log ends: {lines[-1]} ({self.log})" if lines else f"its log {self.log} is empty"
