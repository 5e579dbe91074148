"""Finds a Java that Elasticsearch accepts."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MINIMUM_JAVA = 21

_FOLDERS = (
    ("/usr/lib/jvm", "*"),
    ("/usr/java", "*"),
    ("/opt", "*jdk*"),
    ("/opt/java", "*"),
    ("/Library/Java/JavaVirtualMachines", "*/Contents/Home"),
    ("~/.sdkman/candidates/java", "*"),
    ("~/.jdks", "*"),
)


@dataclass(frozen=True)
class Java:
    """One installed Java."""

    home: Path
    version: int


def find_java(minimum: int = MINIMUM_JAVA) -> Java | None:
    """Return a Java of at least that version: JAVA_HOME, then PATH, then the newest in the usual folders."""
    for home in _preferred_homes():
        java = _inspect(home)
        if java is not None and java.version >= minimum:
            return java
    installed = [java for home in _usual_homes() if (java := _inspect(home)) is not None and java.version >= minimum]
    return max(installed, key=lambda java: java.version, default=None)


def _preferred_homes() -> Iterator[Path]:
    for variable in ("ES_JAVA_HOME", "JAVA_HOME"):
        if value := os.environ.get(variable):
            yield Path(value)
    if program := shutil.which("java"):
        yield Path(program).resolve().parent.parent


def _usual_homes() -> Iterator[Path]:
    for folder, pattern in _FOLDERS:
        yield from sorted(Path(folder).expanduser().glob(pattern))


def _inspect(home: Path) -> Java | None:
    if not (home / "bin" / "java").exists():
        return None
    version = _version_from_release_file(home) or _version_from_program(home)
    return None if version is None else Java(home, version)


def _version_from_release_file(home: Path) -> int | None:
    try:
        text = (home / "release").read_text()
    except OSError:
        return None
    return _major(re.search(r'^JAVA_VERSION="([^"]+)"', text, re.MULTILINE))


def _version_from_program(home: Path) -> int | None:
    try:
        result = subprocess.run(  # noqa: S603 - a java that the machine's owner installed
            [str(home / "bin" / "java"), "-version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _major(re.search(r'version "([^"]+)"', result.stderr))


def _major(match: re.Match[str] | None) -> int | None:
    number = re.match(r"(?:1\.)?(\d+)", match.group(1)) if match else None
    return int(number.group(1)) if number else None
