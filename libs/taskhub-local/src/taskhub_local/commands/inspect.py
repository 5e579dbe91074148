"""`taskhub status`, `taskhub logs` and `taskhub down`: look at the running platform from another terminal."""

import signal
import subprocess
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from taskhub_local.errors import LocalError, NotRunningError
from taskhub_local.parts.base import PartFolders
from taskhub_local.platform.runfile import PartState, read_run, supervisor_record
from taskhub_local.process.record import ProcessRecord
from taskhub_local.urls import without_password

_STOP_SECONDS = 150.0
_POLL_SECONDS = 0.1
_STYLES = {PartState.READY: "green", PartState.FAILED: "red", PartState.UNAVAILABLE: "yellow"}


def status(state: Path) -> int:
    """Print each part and the pages; return 0 if every part is ready. Raises NotRunningError if nothing runs."""
    run = read_run(state)
    console = Console(highlight=False)
    parts = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("part", "state", "pid", "address"):
        parts.add_column(title)
    for part in run.parts:
        label = f"[{_STYLES.get(part.state, 'cyan')}]{part.state.value}[/]"
        parts.add_row(part.name, f"{label} {part.detail}".strip(), str(part.pid or ""), without_password(part.url))
    console.print(parts)
    pages = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, url in run.urls.items():
        pages.add_row(name, url)
    pages.add_row("Demo account", f"{run.demo.email}  password {run.demo.password}")
    pages.add_row("Operator", f"{run.operator.email}  password {run.operator.password}")
    console.print()
    console.print(pages)
    return 0 if all(part.state is PartState.READY for part in run.parts) else 1


def down(state: Path) -> int:
    """Stop the running `taskhub up` and wait for its end. Raises NotRunningError if nothing runs."""
    record = ProcessRecord.read(supervisor_record(state))
    process = record.find() if record else None
    if record is None or process is None:
        raise NotRunningError(f"nothing runs in {state}")
    console = Console(highlight=False)
    console.print(f"stopping the platform (process {process.pid}) ...")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    while record.find() is not None:
        if time.monotonic() - began > _STOP_SECONDS:
            raise LocalError(f"process {process.pid} still runs after {_STOP_SECONDS:.0f} s; see its terminal")
        time.sleep(_POLL_SECONDS)
    console.print(f"stopped ({time.monotonic() - began:.1f} s)")
    return 0


def logs(state: Path, names: list[str], *, follow: bool, lines: int) -> int:
    """Print the end of each log (all of them by default), and go on as they grow if asked to.

    Raises LocalError for a name that has no log.
    """
    folder = PartFolders(state).log("x").parent
    paths = [folder / f"{name}.log" for name in names] or sorted(folder.glob("*.log"))
    missing = [path.stem for path in paths if not path.exists()]
    if missing or not paths:
        there = ", ".join(sorted(path.stem for path in folder.glob("*.log"))) or "none yet"
        raise LocalError(f"no log named {', '.join(missing) or 'anything'}; logs there are: {there}")
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), "--", *map(str, paths)]
    try:
        return subprocess.run(command, check=False).returncode  # noqa: S603 - tail on our own files
    except KeyboardInterrupt:
        return 0
