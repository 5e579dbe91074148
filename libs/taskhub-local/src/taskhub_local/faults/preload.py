"""Builds the small libraries that change what one process is told by the system; LD_PRELOAD puts them before it."""

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import taskhub_local.faults
from taskhub_local.errors import LocalError


def build(name: str, folder: Path) -> Path:
    """Compile `name`.c into the folder, and return the library. Raises LocalError without a C compiler."""
    library = folder / f"{name}.so"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise LocalError(f"{name}.c needs a C compiler")
    source = files(taskhub_local.faults) / f"{name}.c"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own source
    return library
