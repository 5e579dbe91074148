"""Mends what is broken as somebody on call would: by the commands of the alert's runbook, pasted into a shell."""

import os
import subprocess
from pathlib import Path

from taskhub_local.errors import LocalError
from tests.e2e.cluster.paths import KUBECONFIG
from tests.e2e.cluster.tools import tool
from tests.observability.runbooks.reading import FIRST, FOLDER, Runbook, blocks

_LONGEST_SECONDS = 360
_FUNCTIONS = "operator() {"  # what stands before asks for a password


def block_with(alert: str, cure: str) -> str:
    """Return the block of an alert's mitigation that has `cure` in it. Raises LocalError if it is not one."""
    found = [block for block in blocks(Runbook(FOLDER / f"{alert}.md").sections["Mitigation"]) if cure in block]
    if len(found) != 1:
        raise LocalError(f"{alert}.md has {len(found)} blocks under Mitigation with {cure!r} in them")
    return found[0]


def mend(alert: str, cure: str, folder: Path) -> None:
    """Run the block of the page's mitigation that has `cure` in it. Raises LocalError with what the shell said.

    The folder is where the shell is: with the certificate, where one is to be put back.
    """
    try:
        on_call(block_with(alert, cure), folder)
    except LocalError as error:
        raise LocalError(f"{alert}.md does not mend it: {error}") from error


def on_call(commands: str, folder: Path) -> str:
    """Run commands in a shell of whoever is on call, and return what they print. Raises LocalError if one fails."""
    setup = next(block for block in Runbook(FOLDER / f"{FIRST}.md").blocks if _FUNCTIONS in block)
    programs = os.pathsep.join(str(tool(name).parent) for name in ("kubectl", "helm"))
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", setup[setup.index(_FUNCTIONS) :] + commands],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "KUBECONFIG": str(KUBECONFIG), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        raise LocalError(f"{result.stdout}{result.stderr}")
    return result.stdout
