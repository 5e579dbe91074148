"""kubectl for one cluster."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.cluster.shell import run
from tests.e2e.cluster.tools import tool

_ROOM_SECONDS = 20  # kubectl says what it waited for in vain; it is not cut off before


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl with one kubeconfig. Raises ClusterError with what kubectl said."""

    kubeconfig: Path

    def __call__(self, *arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
        """Run kubectl and return what it says."""
        command: Sequence[str | Path] = [tool("kubectl"), "--kubeconfig", self.kubeconfig, *arguments]
        return run(command, stdin=stdin, timeout_seconds=seconds)

    def until_rolled_out(self, name: str, namespace: str, *, seconds: int) -> None:
        """Wait until every pod of a workload (`kind/name`) is of its newest revision and ready."""
        status = ("rollout", "status", name, f"--timeout={seconds}s")
        self("--namespace", namespace, *status, seconds=seconds + _ROOM_SECONDS)

    def json(self, *arguments: str) -> Any:
        """Run kubectl and return its answer, parsed."""
        return json.loads(self(*arguments, "--output", "json"))

    def apply(self, *objects: dict[str, Any]) -> None:
        """Make objects as described, on the server's side, so that other owners keep their fields."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self._apply("-", stdin=text)

    def apply_file(self, path: Path) -> None:
        """Make the objects of a manifest."""
        self._apply(str(path))

    def _apply(self, source: str, stdin: str | None = None) -> None:
        self("apply", "--server-side", "--force-conflicts", "--field-manager", "taskhub", "-f", source, stdin=stdin)
