"""Keeps what is built or fetched: each artefact by its version, made once, complete or absent, whatever interrupts."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.e2e.cluster.paths import cache


class Kind(StrEnum):
    """What an artefact is, and so the folder that it lies in."""

    PROGRAM = "bin"
    FILES = "files"


@dataclass(frozen=True)
class Artefact:
    """One file or folder in the cache. A new version is a new artefact beside the old one."""

    name: str
    version: str
    kind: Kind = Kind.FILES

    @property
    def key(self) -> str:
        """Its name in the cache."""
        return f"{self.name}-{self.version}"

    @property
    def path(self) -> Path:
        """Where it lies once it is made."""
        return cache() / self.kind / self.key

    @property
    def log(self) -> Path:
        """Where the output of making it goes."""
        return cache() / "logs" / f"{self.key}.log"

    def exists(self) -> bool:
        """Whether it is there; if so it is complete."""
        return self.path.exists()


def ensure(artefact: Artefact, make: Callable[[Path, Path], None]) -> Path:
    """Return the artefact's path, making it first if it is not there.

    `make(target, scratch)` writes the file or folder `target`; `scratch` is a folder for its own use. The target is
    renamed into the cache only once `make` has returned, so an interrupted run leaves nothing that looks complete.
    Two processes that want the same artefact make it once.
    """
    if artefact.exists():
        return artefact.path
    with locked(artefact.key):
        if not artefact.exists():
            _make(artefact, make)
    return artefact.path


def link(artefact: Artefact, name: str | None = None) -> Path:
    """Point the plain name of a program at this version of it, and return that path."""
    plain = artefact.path.parent / (name or artefact.name)
    fresh = plain.with_name(f".{plain.name}.new")
    with locked(f"link-{plain.name}"):
        if plain.is_symlink() and plain.readlink() == Path(artefact.key):
            return plain
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(artefact.key)
        fresh.replace(plain)
    return plain


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of this name; the kernel gives it back when the process dies, however it dies."""
    folder = cache() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(artefact: Artefact, make: Callable[[Path, Path], None]) -> None:
    scratches = cache() / "scratch"
    scratches.mkdir(parents=True, exist_ok=True)
    # We hold the lock: whatever lies here under our key belongs to a run that was killed.
    for abandoned in scratches.glob(f"{artefact.key}.*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    artefact.path.parent.mkdir(parents=True, exist_ok=True)
    artefact.log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{artefact.key}.", dir=scratches) as scratch:
        target = Path(scratch) / artefact.name
        work = Path(scratch) / "scratch"
        work.mkdir()
        make(target, work)
        target.rename(artefact.path)
