"""Keeps one part running: starts it, watches it, and starts it again with growing pauses when it dies."""

import threading
import time
from collections.abc import Callable

from taskhub_local.errors import LocalError, PartUnavailableError
from taskhub_local.parts.base import Part
from taskhub_local.platform.runfile import PartState

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
STABLE_SECONDS = 10.0
"""A part that ran for this long is started again at once; one that dies sooner, after a pause that grows."""
_POLL_SECONDS = 0.2
_JOIN_SECONDS = 15.0

type Observer = Callable[["Keeper"], None]


class Keeper:
    """A part with a thread that keeps it running. `observe` is called, from that thread, at each change of state."""

    def __init__(self, part: Part, observe: Observer) -> None:
        self.part = part
        self.state = PartState.WAITING
        self.detail = ""
        self.seconds = 0.0
        """How long the last start took."""
        self.restarts = 0
        self._observe = observe
        self._stopping = threading.Event()
        self._held = threading.Event()
        self._settled = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"keeper-{part.name}", daemon=True)

    def start(self) -> None:
        """Begin to keep the part running; returns at once."""
        self._thread.start()

    def wait_settled(self, timeout_seconds: float) -> bool:
        """Wait until the first start has succeeded or failed; return whether it has."""
        return self._settled.wait(timeout_seconds)

    def hold(self) -> None:
        """Leave the part down when it dies, until `resume`: for a fault that lasts."""
        self._held.set()

    def resume(self) -> None:
        """Start the part again if it is down, and whenever it dies."""
        self._held.clear()

    def stop(self) -> None:
        """Stop keeping the part, then stop the part."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)
        self.part.stop()
        if self.state is not PartState.UNAVAILABLE:
            self._change(PartState.STOPPED)

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            if self._start_once():
                self._watch()
            if self._stopping.is_set() or self.state is PartState.UNAVAILABLE:
                return
            if time.monotonic() - began > STABLE_SECONDS:
                pause = 0.0
            when = f" in {pause:.0f} s" if pause else ""
            plan = "held down for now" if self._held.is_set() else f"starting it again{when}"
            self._change(PartState.FAILED, f"{self.detail}; {plan}")
            self._settled.set()
            self._stopping.wait(pause)
            while self._held.is_set() and not self._stopping.wait(_POLL_SECONDS):
                pass
            pause = min(max(pause * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            self.restarts += 1

    def _start_once(self) -> bool:
        began = time.monotonic()
        self._change(PartState.STARTING)
        try:
            self.part.start()
            self.part.wait_ready(cancelled=self._stopping.is_set)
        except PartUnavailableError as error:
            self._change(PartState.UNAVAILABLE, str(error))
            self._settled.set()
            return False
        except (LocalError, OSError) as error:
            self.part.stop()
            self.detail = str(error).removeprefix(f"{self.part.name} ")
            return False
        self.seconds = time.monotonic() - began
        self._change(PartState.READY)
        self._settled.set()
        return True

    def _watch(self) -> None:
        while not self._stopping.wait(_POLL_SECONDS):
            code = self.part.exit_code
            if code is not None:
                self.detail = f"ended with code {code}" if code >= 0 else f"was ended by signal {-code}"
                return

    def _change(self, state: PartState, detail: str = "") -> None:
        self.state, self.detail = state, detail
        self._observe(self)
