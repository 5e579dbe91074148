"""Hands out the command-line tools that the charts and the cluster need: `tool("helm")` is a path, built if missing."""

import re
import shutil
from functools import cache
from pathlib import Path

from tests.e2e.cluster import golang
from tests.e2e.cluster.shell import ClusterError, run

# How a tool on PATH tells its version. kubectl may be one minor version off the cluster; the others decide what is
# rendered, checked or written, so only the pinned version counts.
_VERSION_COMMANDS = {
    "helm": ("version", "--template", "{{.Version}}"),
    "kubeconform": ("-v",),
    "helm-docs": ("--version",),
    "kind": ("version", "-q"),
    "kubectl": ("version", "--client", "--output", "json"),
    "kustomize": ("version",),
}


def tool(name: str) -> Path:
    """The path of a tool: the one on PATH if its version is the pinned one, else one built from its Go module.

    Raises ClusterError if there is no such tool, or if it must be built and cannot be.
    """
    wanted = program_of(name)
    found = _on_path(name, wanted.version)
    if found is not None:
        return found
    return golang.build(wanted).parent / name


def is_there(name: str) -> bool:
    """Whether the tool need not be built."""
    wanted = program_of(name)
    return wanted.artefact.exists() or _on_path(name, wanted.version) is not None


def program_of(name: str) -> golang.GoProgram:
    """What a tool is built from: kubectl is one of the names of the Kubernetes binary."""
    return golang.program("hk" if name == "kubectl" else name)


@cache
def _on_path(name: str, version: str) -> Path | None:
    found = shutil.which(name)
    if found is None:
        return None
    said = _version(Path(found), name)
    if said is None:
        return None
    fits = _is_near(said, version) if name == "kubectl" else said == version
    return Path(found) if fits else None


def _is_near(one: str, other: str) -> bool:
    """Whether two versions of Kubernetes are at most one minor version apart."""
    (major, minor), (other_major, other_minor) = (
        [int(part) for part in version.removeprefix("v").split(".")[:2]] for version in (one, other)
    )
    return major == other_major and abs(minor - other_minor) <= 1


def _version(path: Path, name: str) -> str | None:
    if name not in _VERSION_COMMANDS:
        return None
    try:
        said = run([path, *_VERSION_COMMANDS[name]], timeout_seconds=30)
    except ClusterError:
        return None  # it is broken, so it is not the one that we want
    found = re.search(r"v?(\d+\.\d+\.\d+)", said)
    return f"v{found.group(1)}" if found else None
