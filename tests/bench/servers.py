"""Starting the measured processes, and reading the CPU time and memory that they used."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import psutil

BIN = Path(sys.executable).parent
HERE = Path(__file__).parent


class Measured:
    """A process and its children."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self._root = psutil.Process(process.pid)

    def _all(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and its living children."""
        return sum(times.user + times.system for times in (process.cpu_times() for process in self._all()))

    def memory_mib(self) -> float:
        """Unique memory of all of them now (USS), in MiB."""
        return sum(process.memory_full_info().uss for process in self._all()) / 2**20

    def processes(self) -> int:
        """How many they are."""
        return len(self._all())


@contextmanager
def running(command: list[str], *, env: dict[str, str], log: Path, cwd: Path = HERE) -> Iterator[Measured]:
    """Runs a command for the time of the block. Its output goes to `log`."""
    stream: IO[bytes]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, env={**os.environ, **env}, stdout=stream, stderr=stream, cwd=cwd, start_new_session=True
        )
        try:
            yield Measured(process)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_http(url: str, measured: Measured, *, seconds: float = 30.0, **headers: Any) -> None:
    """Waits until the URL answers anything. Raises TimeoutError, and RuntimeError if the process ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if measured.process.poll() is not None:
            raise RuntimeError(f"the process ended with {measured.process.returncode}")
        try:
            httpx.get(url, timeout=1, headers=headers)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(url)
