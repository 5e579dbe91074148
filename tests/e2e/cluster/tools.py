"""Hands out the command-line tools that the charts and the cluster need: `tool("helm")` is a path, built if missing."""

import re
import shutil
from pathlib import Path

from tests.e2e.cluster import golang, versions
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
    wanted = golang.program("hk" if name == "kubectl" else name)
    found = shutil.which(name)
    if found and _version(Path(found), name) == wanted.version:
        return Path(found)
    path = golang.build(wanted)
    return path.parent / name


def kubectl() -> Path:
    """kubectl, of the cluster's Kubernetes version."""
    return tool("kubectl")


def _version(path: Path, name: str) -> str | None:
    if name not in _VERSION_COMMANDS:
        return None
    try:
        said = run([path, *_VERSION_COMMANDS[name]], timeout_seconds=30)
    except ClusterError:
        return None  # it is broken, so it is not the one that we want
    found = re.search(r"v?(\d+\.\d+\.\d+)", said)
    return f"v{found.group(1)}" if found else None


def pinned(name: str) -> str:
    """The version that a tool is pinned to."""
    return versions.KUBERNETES if name == "kubectl" else golang.program(name).version
