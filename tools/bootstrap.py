"""Makes .venv from the hashed locks, with nothing but a Python >= 3.11 to start from; instant when nothing changed.

Only the standard library: this runs before anything is installed. `--print-uv` prints the path of uv and stops.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".taskhub-setup"
LOCK = ROOT / "requirements" / "dev.txt"
UV_LOCK = ROOT / "tools" / "uv.txt"
UV_VENV = ROOT / ".taskhub" / "tools" / "uv"
# The newest first, but tried ones before newer ones.
PYTHONS = ("3.13", "3.14", "3.12")


class SetupError(Exception):
    """Something that the person has to do; the text says what."""


def main() -> int:
    """Set up, or say in one line why not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--print-uv", action="store_true", help="print the path of uv (installing it if need be)")
    arguments = parser.parse_args()
    try:
        if arguments.print_uv:
            sys.stdout.write(f"{find_uv()}\n")
        elif not is_current():
            set_up()
    except SetupError as error:
        sys.stderr.write(f"setup: {error}\n")
        return 1
    return 0


def is_current() -> bool:
    """Whether .venv was made from exactly these locks and project files, and its Python is still there."""
    return STAMP.exists() and STAMP.read_text() == fingerprint() and (VENV / "bin" / "python").exists()


def set_up() -> None:
    """Make .venv, install the locked packages, then our own packages as editable ones."""
    started = time.monotonic()
    say("setting up .venv (once, and again when the locks change)")
    uv = find_uv()
    if not runs_as_wanted(VENV / "bin" / "python"):
        python = find_python(uv)
        with step(f"virtual environment with {python}"):
            run([uv, "venv", "--quiet", "--clear", "--python", python, str(VENV)])
    python = str(VENV / "bin" / "python")
    with step("locked packages (redis-server is compiled here: about a minute the first time)"):
        # Compiled now: otherwise the first `make up` compiles the same files in five processes at once.
        options = ["--quiet", "--compile-bytecode", "--python", python]
        run([uv, "pip", "install", *options, "--require-hashes", "-r", str(LOCK)])
    with step("our own packages"):
        editable = [argument for member in members() for argument in ("--editable", str(member))]
        run([uv, "pip", "install", "--quiet", "--python", python, "--no-deps", *editable])
    STAMP.write_text(fingerprint())
    say(f"ready after {time.monotonic() - started:.0f} s")


def fingerprint() -> str:
    """Return a hash of every file that decides what .venv contains."""
    digest = hashlib.sha256()
    for path in (Path(__file__), LOCK, *(member / "pyproject.toml" for member in members())):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def members() -> list[Path]:
    """Return the folders of the workspace's packages."""
    return sorted(path.parent for pattern in ("apps/*", "libs/*") for path in ROOT.glob(f"{pattern}/pyproject.toml"))


def find_uv() -> str:
    """Return uv: the one on PATH, else a pinned one in the project's own folder (installed from PyPI if need be)."""
    own = UV_VENV / "bin" / "uv"
    for candidate in (shutil.which("uv"), str(own)):
        if candidate and succeeds([candidate, "--version"]):
            return candidate
    with step("uv into .taskhub/tools (it is not on PATH)"):
        try:
            run([sys.executable, "-m", "venv", "--clear", str(UV_VENV)])
            pip = [str(UV_VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            run([*pip, "--require-hashes", "-r", str(UV_LOCK)])
        except SetupError as error:
            way_on = "Install uv yourself (https://docs.astral.sh/uv/), or your system's python3-venv, then try again"
            raise SetupError(f"{error}. {way_on}") from error
    return str(own)


def find_python(uv: str) -> str:
    """Return a Python that the project runs on: one of this machine, or one that uv fetches."""
    for candidate in python_candidates():
        if runs_as_wanted(candidate):
            return str(candidate)
    for version in PYTHONS:
        found = subprocess.run([uv, "python", "find", version], capture_output=True, text=True, check=False)
        if found.returncode == 0 and runs_as_wanted(found.stdout.strip()):
            return found.stdout.strip()
    with step(f"Python {PYTHONS[0]} (this machine has none of {', '.join(PYTHONS)})"):
        try:
            run([uv, "python", "install", "--quiet", PYTHONS[0]])
        except SetupError as error:
            way_on = (
                "Install it with your system's packages, pyenv or https://www.python.org/downloads/, then try again"
            )
            raise SetupError(f"TaskHub needs Python 3.12 or newer, and uv fetched none: {error}. {way_on}") from error
    return PYTHONS[0]


def python_candidates() -> Iterator[Path | str]:
    """Yield Pythons that may be there; a name on PATH may be a shim that does not run."""
    yield sys.executable
    for version in PYTHONS:
        if found := shutil.which(f"python{version}"):
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for version in PYTHONS:
        yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)


def runs_as_wanted(python: Path | str) -> bool:
    """Whether this is a Python of a wanted version that really runs, with the modules that are compiled optionally."""
    code = f"import ssl, sqlite3, venv, sys; sys.exit('%d.%d' % sys.version_info[:2] not in {PYTHONS!r})"
    return succeeds([str(python), "-c", code])


def succeeds(command: Sequence[str]) -> bool:
    """Whether a command can be run and ends well."""
    try:
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def run(command: Sequence[str]) -> None:
    """Run a command whose output the person sees. Raises SetupError if it fails."""
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, cwd=ROOT, check=False)
    except OSError as error:
        raise SetupError(f"{command[0]} cannot be run: {error}") from error
    if result.returncode != 0:
        raise SetupError(f"this failed with code {result.returncode}: {' '.join(command)}")


def say(line: str) -> None:
    """Write one line about progress. Not to standard output: `--print-uv` answers there."""
    sys.stderr.write(f"setup: {line}\n")
    sys.stderr.flush()


class step:  # noqa: N801 - reads as a statement
    """Says what is being done, and how long it took."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.started = time.monotonic()

    def __enter__(self) -> None:
        say(f"{self.title} ...")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            say(f"  done in {time.monotonic() - self.started:.1f} s")


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - started by whatever python3 is
        sys.exit("setup: python3 is too old; run make with PYTHON=/path/to/a/python of 3.11 or newer")
    sys.exit(main())
