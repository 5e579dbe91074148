"""The pulse: one write and one search at a steady beat, sent once each, so that a gap of service shows as it is."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from taskhub_core.ids import new_id
from taskhub_local.faults.client import Call, Client, HttpCall
from taskhub_local.faults.ledger import Operation, Request
from taskhub_local.faults.marks import created_by

_MOST_UNANSWERED = 100


class Pulse:
    """Beats until stopped. A beat that is not answered holds nobody up: the next one goes out all the same."""

    def __init__(self, client: Client, *, writes_a_second: float, searches_a_second: float) -> None:
        self.writes: list[Call] = []
        self.searches: list[Call] = []
        self._client = client
        self._beats = ((self._write, 1 / writes_a_second), (self._search, 1 / searches_a_second))
        self._unanswered: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Pulse"]:
        """Beat inside the block; at its end wait for the answers that are still to come."""
        beats = [asyncio.create_task(self._beat(*beat), name="pulse") for beat in self._beats]
        try:
            yield self
        finally:
            self._stopping.set()
            await asyncio.gather(*beats)
            await asyncio.gather(*self._unanswered)

    async def _beat(self, send: Callable[[], Awaitable[None]], seconds: float) -> None:
        at = time.monotonic()
        while not self._stopping.is_set():
            if len(self._unanswered) < _MOST_UNANSWERED:
                task = asyncio.ensure_future(send())
                self._unanswered.add(task)
                task.add_done_callback(self._unanswered.discard)
            at = max(at + seconds, time.monotonic())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), max(0.0, at - time.monotonic()))

    async def _write(self) -> None:
        key = str(new_id())
        request = Request(operation=Operation.CREATE, key=key, marker=f"pulse {key[-12:]}")
        body = {"title": request.marker, "notes": created_by(key)}
        self.writes.append(await self._client.once(request, HttpCall("POST", "/v1/tasks", json=body)))

    async def _search(self) -> None:
        request = Request(operation=Operation.SEARCH, key=str(new_id()))
        call = HttpCall("GET", "/v1/search", params={"q": "pulse"})
        self.searches.append(await self._client.once(request, call))
