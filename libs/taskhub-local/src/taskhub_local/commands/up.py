"""`taskhub up`: starts the whole platform, keeps it running, and stops it at Ctrl-C."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import httpx
from rich.table import Table
from rich.text import Text

from taskhub_local.commands.accounts import ensure_accounts
from taskhub_local.commands.display import Display
from taskhub_local.errors import LocalError, PartFailedError
from taskhub_local.parts.base import PartFolders
from taskhub_local.platform.lock import state_lock
from taskhub_local.platform.plan import Ports, choose_ports
from taskhub_local.platform.platform import Platform, PlatformOptions
from taskhub_local.platform.runfile import PartState
from taskhub_local.process.child import KILL_NOW
from taskhub_local.process.leftovers import remove_all

_STOP_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(state: Path, *, ports: Ports, worker_processes: int, elasticsearch: bool) -> int:
    """Run the platform until Ctrl-C or SIGTERM; return the exit code."""
    display = Display()
    with state_lock(state) as stale_pid, _stop_requests() as stop:
        _clean_up(state, stale_pid, display)
        chosen, moved = choose_ports(ports)
        for port in moved:
            display.say(f"port {port.wanted} is taken: {port.name.replace('_', ' ')} listens on {port.chosen}")
        options = PlatformOptions(state, chosen, worker_processes=worker_processes, elasticsearch=elasticsearch)
        platform = Platform(options, observe=display.changed, say=display.say)
        code = 0
        try:
            _bring_up(platform, display, stop)
            if not stop.is_set():
                _show(platform, display)
                stop.wait()
        except LocalError as error:
            display.say(f"the platform cannot start: {error}")
            code = 1
        finally:
            _bring_down(platform, display)
        return code


def _bring_up(platform: Platform, display: Display, stop: threading.Event) -> None:
    if platform.elasticsearch is None:
        display.say(f"Elasticsearch {platform.search_note}: PostgreSQL answers searches")
    with display.starting(platform.keepers):
        platform.start_backing()
        platform.wait_database(stop.is_set)
        if stop.is_set():
            return
        began = time.monotonic()
        platform.migrate()
        display.say(f"the database has the newest schema ({time.monotonic() - began:.1f} s)")
        platform.wait_required(stop.is_set)
        if stop.is_set():
            return
        platform.start_apps()
        platform.wait_apps(stop.is_set)
        if not stop.is_set():
            _make_accounts(platform)


def _make_accounts(platform: Platform) -> None:
    try:
        ensure_accounts(platform)
    except httpx.HTTPError as error:
        raise PartFailedError(f"the API did not answer while the demo account was made: {error}") from error


def _show(platform: Platform, display: Display) -> None:
    info = platform.run_info()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for name, url in info.urls.items():
        table.add_row(name, url)
    for name, url in info.metrics_urls.items():
        table.add_row(f"Metrics of {name}", url)
    table.add_row("Demo account", f"{info.demo.email}  password {info.demo.password}")
    table.add_row("Operator", f"{info.operator.email}  password {info.operator.password}")
    table.add_row("Logs", str(platform.folders.log("*")))
    display.show("", Text("TaskHub is up.", "bold green"), table)
    search = platform.keepers.get("elasticsearch")
    if search is not None and search.state is not PartState.READY:
        display.say(f"Elasticsearch is {search.state.value}: PostgreSQL answers searches until it is ready.")
    display.say("\nTry it in a second terminal: make demo. Ctrl-C stops everything.")


def _bring_down(platform: Platform, display: Display) -> None:
    display.stopping()
    began = time.monotonic()
    display.say("stopping everything, the last started first (Ctrl-C again: at once)")
    for name, seconds in platform.stop():
        display.say(f"{name} stopped ({seconds:.1f} s)")
    display.say(f"everything is stopped ({time.monotonic() - began:.1f} s); data stays in {platform.options.state}")


def _clean_up(state: Path, stale_pid: int | None, display: Display) -> None:
    if stale_pid is not None:
        display.say(f"an earlier run (process {stale_pid}) ended without cleaning up: doing it now")
    records = PartFolders(state).record("x").parent
    for name, pid in remove_all(records, state):
        display.say(f"stopped {name} (process {pid}), left over from an earlier run")


@contextmanager
def _stop_requests() -> Iterator[threading.Event]:
    """Turn Ctrl-C, SIGTERM and a closed terminal into an event; a second request cuts the graceful stop short."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            KILL_NOW.set()
        stop.set()

    before = {number: signal.signal(number, handle) for number in _STOP_NUMBERS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
