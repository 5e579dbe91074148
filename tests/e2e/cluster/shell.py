"""Runs programs: their output goes to a log or back to the caller, and a failure says what was run and what it said."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_TAIL_LINES = 15


class ClusterError(Exception):
    """The cluster cannot be made or used; the text says what happened and what to do."""


def run(
    command: Sequence[str | Path],
    *,
    log: Path | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str | bytes | None = None,
    timeout_seconds: float = 3600,
) -> str:
    """Run a program to its end and return its standard output (empty when it goes to `log`, which is appended to).

    `environment` is added to this process's. Raises ClusterError if the program is missing, fails or takes too long.
    """
    words = [str(word) for word in command]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    variables = {**os.environ, **(environment or {})}
    try:
        if log is None:
            result = subprocess.run(
                words, cwd=cwd, env=variables, input=data, capture_output=True, timeout=timeout_seconds, check=False
            )
            output, said = result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace")
        else:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as stream:
                stream.write(f"$ {' '.join(words)}\n".encode())
                stream.flush()
                result = subprocess.run(
                    words, cwd=cwd, env=variables, input=data, stdout=stream, stderr=stream,
                    timeout=timeout_seconds, check=False,
                )  # fmt: skip
            output, said = "", log.read_text(errors="replace")
    except FileNotFoundError as error:
        raise ClusterError(f"{words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"`{' '.join(words)}` did not end within {timeout_seconds:.0f} s") from error
    if result.returncode != 0:
        tail = "\n".join((said.strip() or output.strip()).splitlines()[-_TAIL_LINES:])
        where = f" (all of it: {log})" if log else ""
        raise ClusterError(f"`{' '.join(words)}` failed with code {result.returncode}{where}:\n{tail}")
    return output


def succeeds(command: Sequence[str | Path], *, timeout_seconds: float = 30) -> bool:
    """Whether a program exists and ends with code 0 in time; what it says is thrown away."""
    try:
        run(command, timeout_seconds=timeout_seconds)
    except ClusterError:
        return False
    return True
