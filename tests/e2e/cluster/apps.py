"""The images of this repository: the tag of each follows from what goes into it, so that nothing is built twice."""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.cluster import engine
from tests.e2e.cluster.paths import ROOT, cache
from tests.e2e.cluster.progress import elapsed, say
from tests.e2e.cluster.shell import ClusterError, run
from tests.e2e.cluster.store import locked

_TAG_DIGITS = 12
_IGNORED = frozenset({"tests", "__pycache__"})
"""As .dockerignore has it."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of this repository."""

    name: str
    dockerfile: str

    @property
    def tag(self) -> str:
        """The name and a hash over the Dockerfile and every file that it copies from the repository."""
        return f"{self.name}:{content_hash(ROOT, self.dockerfile)}"

    def ensure(self) -> str:
        """Build the image unless the engine has it; return its tag. Its base must be there or be pullable."""
        with locked(f"image-{self.name}"):
            tag = self.tag
            if not engine.docker("image", "ls", "--quiet", tag).strip():
                started = elapsed()
                say(f"building {tag} ...")
                self._build(tag)
                say(f"{tag} took {elapsed() - started:.0f} s")
        return tag

    def _build(self, tag: str) -> None:
        labels = {
            "VERSION": _version(),
            "REVISION": _revision(),
            "CREATED": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        arguments = [word for name, value in labels.items() for word in ("--build-arg", f"{name}={value}")]
        log = cache() / "logs" / f"image-{self.name}.log"
        log.unlink(missing_ok=True)
        engine.docker("build", "--file", str(ROOT / self.dockerfile), *arguments, "--tag", tag, str(ROOT), log=log)


API = Image("taskhub-api", "apps/api/Dockerfile")
WORKER = Image("taskhub-worker", "apps/worker/Dockerfile")
SQS_CONSUMER = Image("taskhub-sqs-consumer", "apps/sqs-consumer/Dockerfile")
SINK = Image("taskhub-sink", "tests/e2e/sink/Dockerfile")
IMAGES = {image.name: image for image in (API, WORKER, SQS_CONSUMER, SINK)}


def tags() -> dict[str, str]:
    """Every image's name and the tag that it should have now."""
    return {name: image.tag for name, image in IMAGES.items()}


def ensure() -> dict[str, str]:
    """Build what is missing; return every image's name and tag."""
    return {name: image.ensure() for name, image in IMAGES.items()}


def content_hash(root: Path, dockerfile: str) -> str:
    """Hash a Dockerfile, .dockerignore and every file that is copied from `root`: name, whether executable, content."""
    text = (root / dockerfile).read_text()
    digest = hashlib.sha256()
    for path in (root / dockerfile, root / ".dockerignore", *_copied(root, text)):
        executable = path.stat().st_mode & 0o100
        digest.update(f"{path.relative_to(root)}\0{executable}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:_TAG_DIGITS]


def _copied(root: Path, dockerfile: str) -> Iterator[Path]:
    """The files that a Dockerfile's COPY lines name, folders with all that is in them."""
    joined = dockerfile.replace("\\\n", " ")
    for line in re.findall(r"^COPY (?!--from)(.*)$", joined, re.MULTILINE):
        sources = json.loads(line) if line.startswith("[") else line.split()
        for source in sources[:-1]:
            yield from _files(root / source)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise ClusterError(f"a Dockerfile copies {path}, which is not there")
    for entry in sorted(path.iterdir()):
        if entry.name not in _IGNORED and entry.name != "Dockerfile" and not entry.name.endswith(".egg-info"):
            yield from _files(entry)


def _version() -> str:
    found = re.search(r'^version = "([^"]+)"$', (ROOT / "apps/api/pyproject.toml").read_text(), re.MULTILINE)
    return found.group(1) if found else "0"


def _revision() -> str:
    try:
        return run(["git", "-C", ROOT, "rev-parse", "HEAD"], timeout_seconds=10).strip()
    except ClusterError:
        return "unknown"  # an archive of the repository
