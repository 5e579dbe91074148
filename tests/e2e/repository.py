"""The repository that the cluster's Argo CD reads: a clone of this one, in which a test commits as people do."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from taskhub_local.errors import LocalError
from tests.e2e.cluster.paths import ROOT, STATE
from tests.e2e.cluster.shell import ClusterError, run
from tests.e2e.cluster.tools import tool

FOLDER = STATE / "repository"
_BRANCH = "main"
_INSIDE = "/srv/git/taskhub.git"
_SELF = ("-c", "user.name=TaskHub's tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false")
_PUSH_SECONDS = 120.0


class Repository:
    """A clone of this repository's HEAD, and the way into the cluster's. Raises LocalError with what Git said."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig.resolve()
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.parent.mkdir(parents=True, exist_ok=True)
        self._git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(FOLDER), inside=False)
        self._git("checkout", "--quiet", "-B", _BRANCH, self._git("rev-parse", "HEAD"))

    def commit(self, why: str, edit: Callable[[Path], None]) -> str:
        """Let `edit` change files in the clone's folder; commit that, push it, and return the commit."""
        edit(FOLDER)
        self._git("add", "--all")
        self._git(*_SELF, "commit", "--quiet", "--message", why)
        return self._push()

    def revert(self, commit: str) -> str:
        """Revert a commit, push that, and return the new commit."""
        self._git(*_SELF, "revert", "--no-edit", commit)
        return self._push()

    def restore(self, commit: str) -> str:
        """Commit the files of an earlier commit again, push that, and return the new commit."""
        self._git("read-tree", "--reset", "-u", commit)
        self._git(*_SELF, "commit", "--quiet", "--message", f"As in {commit[:8]}")
        return self._push()

    @property
    def head(self) -> str:
        """The newest commit."""
        return self._git("rev-parse", "HEAD")

    def _push(self) -> str:
        """Push through the API server, which alone is reached from outside: Git's own protocol, over kubectl exec."""
        kubectl = str(tool("kubectl")).replace("%", "%%").replace(" ", "% ")
        remote = f"ext::{kubectl} --namespace argocd exec --stdin deployment/git --container git -- %S {_INSIDE}"
        self._git("-c", "protocol.ext.allow=always", "push", "--quiet", "--force", remote, f"{_BRANCH}:{_BRANCH}")
        return self.head

    def _git(self, *arguments: str, inside: bool = True) -> str:
        environment = {"KUBECONFIG": str(self._kubeconfig)}
        command = ["git", *arguments]
        try:
            return run(
                command, cwd=FOLDER if inside else None, environment=environment, timeout_seconds=_PUSH_SECONDS
            ).strip()
        except ClusterError as error:
            raise LocalError(str(error)) from error


def set_values(path: Path, changes: Mapping[str, Any]) -> None:
    """Change values in a YAML file, deeply. A link to another file becomes a file of its own."""
    values = yaml.safe_load(path.read_text())
    _merge(values, changes)
    if path.is_symlink():
        path.unlink()
    # As JSON, which is YAML: it says of a tag like 12345e67 that it is no number.
    path.write_text(json.dumps(values, indent=2) + "\n")


def _merge(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value
