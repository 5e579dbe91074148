"""Fetches Elasticsearch once per machine, through Maven, and keeps it unpacked in the user's cache folder."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from taskhub_local.errors import PartUnavailableError

VERSION = "9.2.0"
_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
_DOWNLOAD_SECONDS = 900


def cache_folder() -> Path:
    """The user's cache folder for TaskHub: $XDG_CACHE_HOME/taskhub, or ~/.cache/taskhub."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "taskhub"


def ensure_distribution(say: Callable[[str], None] = lambda _: None) -> Path:
    """Return the unpacked distribution, fetching it first if this machine has none.

    Two processes that want it at once fetch it once. An interrupted fetch leaves only a temporary folder, which the
    next one removes. Raises PartUnavailableError if Maven is missing or cannot fetch it.
    """
    folder = cache_folder() / f"elasticsearch-{VERSION}"
    if folder.is_dir():
        return folder
    cache_folder().mkdir(parents=True, exist_ok=True)
    with _locked(cache_folder() / "elasticsearch.lock"):
        if not folder.is_dir():
            _fetch(folder, say)
    return folder


def _fetch(folder: Path, say: Callable[[str], None]) -> None:
    for abandoned in folder.parent.glob("elasticsearch-fetch-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="elasticsearch-fetch-", dir=folder.parent) as scratch:
        say(f"fetching Elasticsearch {VERSION} through Maven (97 MB, once)")
        archive = _download(Path(scratch))
        say("unpacking Elasticsearch")
        _unpack(archive, Path(scratch) / "unpacked")
        (Path(scratch) / "unpacked" / f"elasticsearch-{VERSION}").rename(folder)


def _download(target: Path) -> Path:
    maven = shutil.which("mvn")
    if maven is None:
        raise PartUnavailableError("Elasticsearch needs Maven (mvn) to be fetched")
    command = [maven, "-B", "-q", _COPY_GOAL, f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={target}"]
    try:
        # Its own folder: a pom.xml where the user happens to be must not take part.
        result = subprocess.run(  # noqa: S603 - fixed arguments
            command, cwd=target, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PartUnavailableError(f"Maven did not fetch Elasticsearch within {_DOWNLOAD_SECONDS} s") from error
    archive = target / f"elasticsearch-{VERSION}.zip"
    if result.returncode != 0 or not archive.exists():
        output = (result.stdout + result.stderr).strip().splitlines()
        raise PartUnavailableError(f"Maven could not fetch Elasticsearch: {output[0] if output else 'it said nothing'}")
    return archive


def _unpack(archive: Path, target: Path) -> None:
    """Unpack with permissions: zipfile alone forgets which files are programs."""
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            path = Path(content.extract(entry, target))
            mode = (entry.external_attr >> 16) & 0o777
            if mode and not entry.is_dir():
                path.chmod(mode)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
