"""Tests with tools that are built with Go: without Go they skip, but never in CI."""

import os
import shutil
from pathlib import Path

import pytest


def skip_without_go(items: list[pytest.Item], folder: Path, *, tools: str) -> None:
    """Skip the tests of a folder where its tools cannot be built."""
    if os.environ.get("CI") or shutil.which("go") or Path("/usr/local/go/bin/go").exists():
        return
    skip = pytest.mark.skip(reason=f"{tools} are built with Go, which is not installed")
    for item in items:
        if folder in item.path.parents:
            item.add_marker(skip)
