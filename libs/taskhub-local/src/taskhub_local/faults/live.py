"""The live view of one case: what was done, how the requests fare, and how long the fault has been felt."""

import time
from collections import deque
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from taskhub_local.faults.client import Call, Client
from taskhub_local.faults.pulse import Pulse
from taskhub_local.faults.stage import Stage

_BEATS = 60
_RECENT_SECONDS = 2.0
_LINES = 8


class LiveView:
    """A panel in a terminal; plain lines, as they come, elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._watched: tuple[Client, Pulse, Stage] | None = None
        self._began = time.time()

    def live(self) -> Live:
        """Return what is to be entered while the case runs."""
        return Live(get_renderable=self._panel, console=self._console, refresh_per_second=8, transient=True)

    def say(self, line: str) -> None:
        """Take a line of the case."""
        stamped = f"{time.time() - self._began:6.1f} s  {line}"
        self._lines.append(stamped)
        if not self._console.is_terminal:
            self._console.print(stamped, markup=False)

    def watch(self, client: Client, pulse: Pulse, stage: Stage) -> None:
        """Look at these from now on."""
        self._watched = client, pulse, stage

    def _panel(self) -> Group:
        lines = [Text(line, "dim" if number < len(self._lines) - 1 else "") for number, line in enumerate(self._lines)]
        if self._watched is None:
            return Group(*lines)
        client, pulse, stage = self._watched
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_row("writes", _beats(pulse.writes), _state(pulse.writes, stage.began_at))
        table.add_row("searches", _beats(pulse.searches), _sources(pulse.searches))
        answered = sum(1 for call in client.calls if call.answer.status is not None and call.answer.status < 500)
        table.add_row("requests", Text(f"{len(client.calls):,} sent, {answered:,} answered", "dim"), "")
        return Group(*lines, Text(), table)


def _beats(calls: Sequence[Call]) -> Text:
    """The last beats as a strip: a dot for each success, a cross for each failure."""
    strip = Text()
    for call in calls[-_BEATS:]:
        degraded = bool(call.body and call.body.get("degraded"))
        ok = call.probe.ok
        strip.append("•" if ok else "×", "yellow" if ok and degraded else "green" if ok else "bold red")
    return strip


def _state(calls: Sequence[Call], began_at: float | None) -> Text:
    failures = [call for call in calls if not call.probe.ok and call.probe.ended > (began_at or 0)]
    if began_at is None or not failures:
        return Text("fine", "green")
    after = [call for call in calls if call.probe.ok and call.probe.ended > failures[-1].probe.ended]
    if not after:
        return Text(f"failing for {time.time() - failures[0].probe.began:.1f} s", "bold red")
    return Text(f"back {after[0].probe.ended - began_at:.1f} s after the fault", "green")


def _sources(calls: Sequence[Call]) -> Text:
    recent = [call for call in calls if call.probe.ended > time.time() - _RECENT_SECONDS]
    sources = sorted({str(call.body["source"]) for call in recent if call.body and "source" in call.body})
    return Text(" and ".join(sources) or "no answers", "dim")
