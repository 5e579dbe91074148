"""Shows the parts as they come up: a quiet live table in a terminal, plain lines elsewhere."""

import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from taskhub_local.platform.keeper import Keeper
from taskhub_local.platform.runfile import PartState
from taskhub_local.urls import without_password

_MARKS = {
    PartState.WAITING: Text("·", "dim"),
    PartState.READY: Text("✓", "green"),
    PartState.FAILED: Text("✗", "red"),
    PartState.UNAVAILABLE: Text("-", "yellow"),
    PartState.STOPPED: Text("·", "dim"),
}


class _LastingConsole(Console):
    """A console whose reader may go away."""

    def on_broken_pipe(self) -> None:
        """Go on in silence; rich would end the process here, and leave everything running that it started."""
        self.quiet = True


class Display:
    """Hears of every change. While `starting` is entered, a terminal shows a live table; before and after, lines."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _LastingConsole(highlight=False, soft_wrap=True)
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._keepers: dict[str, Keeper] = {}
        self._began: dict[str, float] = {}
        self._stopping = False

    def say(self, line: str) -> None:
        """Write one line, above the table if there is one."""
        with self._lock:
            self._print(line)

    def show(self, *items: RenderableType) -> None:
        """Write tables and the like."""
        with self._lock:
            for item in items:
                self._print(item)

    def changed(self, keeper: Keeper) -> None:
        """Show that a part changed."""
        with self._lock:
            name = keeper.part.name
            if keeper.state is PartState.STARTING:
                self._began[name] = time.monotonic()
            if self._live is not None:
                if keeper.state is PartState.FAILED:
                    self._print(f"{name} {keeper.detail}")
            elif line := self._line(keeper):
                self._print(line)

    def starting(self, keepers: dict[str, Keeper]) -> Self:
        """Enter this to show these parts while they start."""
        self._keepers = keepers
        return self

    def stopping(self) -> None:
        """From now on a part that stops does so as it should."""
        self._stopping = True

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(get_renderable=self._table, console=self.console, refresh_per_second=8, transient=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            with suppress(OSError):
                self._live.stop()
            self._live = None

    def _print(self, item: RenderableType) -> None:
        # A closed terminal must not keep the platform from being stopped in order: nobody reads this, that is all.
        with suppress(OSError):
            self.console.print(item, markup=False)
            sys.stdout.flush()

    def _line(self, keeper: Keeper) -> str | None:
        name = keeper.part.name
        if keeper.state is PartState.STARTING and not keeper.restarts:
            return f"{name} is starting"
        if keeper.state is PartState.READY:
            again = " again" if keeper.restarts else ""
            return f"{name} is ready{again} ({keeper.seconds:.1f} s)"
        if keeper.state in {PartState.FAILED, PartState.UNAVAILABLE}:
            return f"{name} {keeper.detail}"
        if keeper.state is PartState.STOPPED and not self._stopping:
            return f"{name} stopped"
        return None

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for name, keeper in self._keepers.items():
            mark = _MARKS.get(keeper.state) or Spinner("dots", style="cyan")
            table.add_row(mark, name, self._when(name, keeper), Text(self._remark(keeper), "dim", overflow="ellipsis"))
        return table

    def _when(self, name: str, keeper: Keeper) -> Text:
        if keeper.state is PartState.READY:
            return Text(f"{keeper.seconds:.1f} s", "green")
        if keeper.state is PartState.STARTING:
            return Text(f"{time.monotonic() - self._began.get(name, time.monotonic()):.0f} s", "cyan")
        return Text("")

    def _remark(self, keeper: Keeper) -> str:
        if keeper.state is PartState.READY:
            return without_password(keeper.part.url)
        return keeper.detail
