"""Runs the images as a cluster does: read-only and without capabilities; and here without a network."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.e2e.cluster.engine import docker

HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
_WRITABLE = ("--tmpfs", "/tmp:mode=1777")
_PYTHON = "/app/bin/python"


def inspect(tag: str) -> dict[str, Any]:
    """What the engine knows of an image."""
    found: list[dict[str, Any]] = json.loads(docker("image", "inspect", tag))
    return found[0]


def run(tag: str, *arguments: str, entrypoint: str | None = None) -> str:
    """Run to the end, with nothing to write to, and return standard output."""
    other = () if entrypoint is None else ("--entrypoint", entrypoint)
    return docker("run", "--rm", *HARDENED, *other, tag, *arguments, seconds=120)


def python(tag: str, code: str) -> Any:
    """Run Python in the image and return the JSON that it prints."""
    return json.loads(run(tag, "-c", code, entrypoint=_PYTHON))


@contextmanager
def running(tag: str, *arguments: str, entrypoint: str | None, environment: Mapping[str, str]) -> Iterator[str]:
    """Run in the background with a /tmp, and remove it at the end; gives the container's id."""
    variables = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
    other = () if entrypoint is None else ("--entrypoint", entrypoint)
    container = docker("run", "--detach", *HARDENED, *_WRITABLE, *variables, *other, tag, *arguments).strip()
    try:
        yield container
    finally:
        docker("rm", "--force", "--volumes", container)


def fetch(container: str, url: str) -> int:
    """The status of a GET from inside; 0 when nothing answers."""
    code = (
        "import sys, urllib.request, urllib.error\n"
        "try: print(urllib.request.urlopen(sys.argv[1], timeout=3).status)\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
        "except OSError: print(0)"
    )
    return int(docker("exec", container, _PYTHON, "-c", code, url))


def command_of_first_process(container: str) -> list[str]:
    """What process 1 was started as."""
    code = "print(open('/proc/1/cmdline').read().rstrip(chr(0)).replace(chr(0), chr(10)), end='')"
    return docker("exec", container, _PYTHON, "-c", code).splitlines()


def exit_code(container: str) -> int:
    """The exit code of a container that has ended."""
    return int(docker("wait", container))


def logs(container: str) -> str:
    """What it has written, for a failure's message."""
    return docker("logs", "--tail", "20", container)
