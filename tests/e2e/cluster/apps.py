"""Builds the applications' images, tagged by what goes into them: what did not change is neither built nor loaded."""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

from tests.e2e.cluster import catalog, engine
from tests.e2e.cluster.paths import ROOT, cache
from tests.e2e.cluster.progress import elapsed, say
from tests.e2e.cluster.shell import ClusterError

# What a build leaves beside the sources; .dockerignore keeps it out of the image as well.
_NOT_IN_IMAGES = ("__pycache__", "*.egg-info", "tests", ".*_cache")
_TAG_DIGITS = 12


@dataclass(frozen=True)
class App:
    """An image of ours and its Dockerfile; the build context is the root of the repository."""

    name: str
    dockerfile: str

    @property
    def tag(self) -> str:
        """The hash of what goes into the image: its Dockerfile, what that copies, and the base image."""
        return content_tag(ROOT, self.dockerfile, _image_id(catalog.PYTHON))

    @property
    def reference(self) -> str:
        """Its name and tag."""
        return f"{self.name}:{self.tag}"


APPS = (
    App("taskhub-api", "apps/api/Dockerfile"),
    App("taskhub-worker", "apps/worker/Dockerfile"),
    App("taskhub-sqs-consumer", "apps/sqs-consumer/Dockerfile"),
    App("taskhub-sink", "tests/e2e/sink/Dockerfile"),
)


def app(name: str) -> App:
    """The image of this name. Raises ClusterError if there is none."""
    for candidate in APPS:
        if candidate.name == name:
            return candidate
    raise ClusterError(f"no image {name!r}; there are {', '.join(each.name for each in APPS)}")


def ensure_built(apps: Sequence[App] = APPS) -> dict[str, str]:
    """Build the images that the engine does not have, and return each one's tag by its name."""
    tags = {each.name: each.tag for each in apps}
    for each in apps:
        reference = f"{each.name}:{tags[each.name]}"
        if engine.docker("image", "ls", "--quiet", reference).strip():
            continue
        started = elapsed()
        say(f"building {reference} ...")
        log = cache() / "logs" / f"image-{each.name}.log"
        log.unlink(missing_ok=True)
        arguments = [*_labels(), "--file", str(ROOT / each.dockerfile), "--tag", reference, str(ROOT)]
        engine.docker("build", *arguments, log=log)
        say(f"{reference} took {elapsed() - started:.0f} s")
    return tags


def content_tag(root: Path, dockerfile: str, base: str) -> str:
    """Hash a Dockerfile, the files that it copies from `root` (name, executable or not, content) and the base image."""
    text = (root / dockerfile).read_text()
    digest = hashlib.sha256(f"{base}\0{text}".encode())
    for path in sorted(set(_copied(root, text))):
        executable = path.stat().st_mode & 0o100
        digest.update(f"\0{path.relative_to(root)}\0{executable}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:_TAG_DIGITS]


def sources(dockerfile_text: str) -> list[str]:
    """What a Dockerfile copies out of the build context (not what it copies out of another stage)."""
    joined = re.sub(r"\\\n\s*", " ", dockerfile_text)
    found: list[str] = []
    for line in joined.splitlines():
        words = line.split()
        if words and words[0].upper() in ("COPY", "ADD") and not any(word.startswith("--from") for word in words):
            found += [word for word in words[1:-1] if not word.startswith("--")]
    return found


def _copied(root: Path, dockerfile_text: str) -> Iterator[Path]:
    for pattern in sources(dockerfile_text):
        matches = sorted(root.glob(pattern.rstrip("/")))
        if not matches:
            raise ClusterError(f"the Dockerfile copies {pattern}, which does not exist")
        for match in matches:
            if match.is_file():
                yield match
                continue
            for folder, folders, files in os.walk(match):
                folders[:] = [name for name in folders if not _is_left_out(name)]
                yield from (Path(folder) / name for name in files if not _is_left_out(name))


def _is_left_out(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in _NOT_IN_IMAGES)


def _image_id(tag: str) -> str:
    return engine.docker("image", "inspect", "--format", "{{.Id}}", tag).strip()


def _labels() -> list[str]:
    """Arguments of the Dockerfiles that end up as labels; they are no part of the tag."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    revision = found.stdout.strip() or "unknown"
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return ["--build-arg", f"REVISION={revision}", "--build-arg", f"CREATED={created}"]
