"""The releases, changed as an operator changes them: helm upgrade and helm rollback."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from taskhub_local.errors import LocalError
from tests.e2e.kube import APPS

CHARTS = Path(__file__).parents[2] / "charts"
_LONGEST_SECONDS = 300


class Helm:
    """Runs helm against one cluster. Raises LocalError with what helm said."""

    def __init__(self, program: Path, kubeconfig: Path) -> None:
        self._program = program
        self._kubeconfig = kubeconfig

    def upgrade(self, release: str, *options: str, chart: str | None = None) -> None:
        """Upgrade a release to its chart in this tree, with the values that it has and those in `options`."""
        self._run("upgrade", release, str(CHARTS / (chart or release)), "--reuse-values", *options)

    def rollback(self, release: str, *options: str) -> None:
        """Go back to the revision before, and wait until it runs."""
        self._run("rollback", release, "--wait", "--timeout", "180s", *options)

    def revision(self, release: str) -> int:
        """Return the number of a release's newest revision, good or bad."""
        return int(json.loads(self._run("status", release, "--output", "json"))["version"])

    def values(self, release: str) -> str:
        """Return the values that a release was given, as YAML."""
        return self._run("get", "values", release)

    def _run(self, *arguments: str) -> str:
        command: Sequence[str] = (
            str(self._program),
            "--kubeconfig",
            str(self._kubeconfig),
            "--namespace",
            APPS,
            *arguments,
        )
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LocalError(f"helm {' '.join(arguments)}: {error}") from error
        if result.returncode != 0:
            raise LocalError(f"helm {' '.join(arguments)}: {result.stderr.strip()}")
        return result.stdout
