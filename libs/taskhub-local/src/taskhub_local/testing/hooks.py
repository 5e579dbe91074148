"""Gives a test run its folder of shared servers, hands it to the xdist workers, and stops the servers at the end."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from taskhub_local.process.guardian import stop_all
from taskhub_local.testing.shared import SharedServers

SHARED_SERVERS = pytest.StashKey[SharedServers]()
_FOLDER_INPUT = "taskhub_shared_folder"


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder, or in an xdist worker take the one that the run made."""
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    if given is None:
        folder, owner = Path(tempfile.mkdtemp(prefix="taskhub-tests-")), os.getpid()
    else:
        folder, owner = Path(given[_FOLDER_INPUT]), os.getppid()
    config.stash[SHARED_SERVERS] = SharedServers(folder, owner)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the run's servers are."""
    node.workerinput[_FOLDER_INPUT] = str(node.config.stash[SHARED_SERVERS].folders.state)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers, also after Ctrl-C. Workers leave this to the run that started them."""
    shared = config.stash.get(SHARED_SERVERS, None)
    if shared is not None and not hasattr(config, "workerinput"):
        stop_all(shared.folders.state)
