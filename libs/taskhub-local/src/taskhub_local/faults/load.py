"""The load: a bounded stream of task writes, job submissions, searches and reads, as a seed deals them."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from taskhub_core.ids import new_id
from taskhub_local.faults.client import Call, Client, HttpCall
from taskhub_local.faults.judge_jobs import EFFECT_KIND, STEPS_KIND
from taskhub_local.faults.ledger import Operation, Outcome, Request
from taskhub_local.faults.marks import created_by
from taskhub_local.faults.submissions import submit_import, submit_job

DEFAULT_MIX: Mapping[str, int] = {
    "create": 30,
    "remind": 1,
    "change": 25,
    "delete": 5,
    "effect": 15,
    "steps": 2,
    "import": 1,
    "read": 14,
    "search": 7,
}
PLAIN_MIX: Mapping[str, int] = {name: share for name, share in DEFAULT_MIX.items() if name not in {"effect", "steps"}}
"""For a platform that does not know the kinds of faults/kinds.py."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """How much of what."""

    rate: float = 30.0
    """Operations a second. They are begun at this rate whatever the answers do (an open loop)."""
    most_in_flight: int = 64
    """Operations that would be begun beyond this many are left out, and counted."""
    patience_seconds: float = 60.0
    """How long a client goes on repeating one operation."""
    mix: Mapping[str, int] = field(default_factory=lambda: DEFAULT_MIX)
    step_count: int = 5
    step_seconds: float = 0.2
    import_entries: int = 40
    pulse_writes: float = 10.0
    """Writes a second of the pulse (pulse.py), beside `rate`."""
    pulse_searches: float = 5.0
    """Searches a second of the pulse."""


@dataclass(slots=True)
class _Held:
    task_id: uuid.UUID
    version: int
    changes: int = 0


class Load:
    """Runs a plan until stopped. Tasks are written by one operation at a time; what a lost answer left open is over."""

    def __init__(self, client: Client, plan: LoadPlan, *, seed: int) -> None:
        self.left_out = 0
        """Operations that were not begun because too many were under way."""
        self._client = client
        self._plan = plan
        self._random = random.Random(seed)  # noqa: S311 - a seed must deal the same again
        self._free: list[_Held] = []
        self._in_flight: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._deeds: dict[str, Callable[[], Awaitable[object]]] = {
            "create": self._create,
            "remind": self._create_with_reminder,
            "change": self._change,
            "delete": self._delete,
            "effect": self._effect,
            "steps": self._steps,
            "import": self._import,
            "read": self._read,
            "search": self._search,
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        """Run inside the block; at its end let what is under way come to an end."""
        runner = asyncio.create_task(self._run(), name="load")
        try:
            yield self
        finally:
            self._stopping.set()
            await runner
            await self._finish()

    async def _run(self) -> None:
        names, weights = zip(*self._plan.mix.items(), strict=True)
        begin_at = time.monotonic()
        while not self._stopping.is_set():
            deed = self._random.choices(names, weights)[0]
            if len(self._in_flight) >= self._plan.most_in_flight:
                self.left_out += 1
            else:
                task = asyncio.create_task(self._do(deed))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)
            # A loop that was held up goes on at its rate instead of catching up in a burst.
            begin_at = max(begin_at + 1 / self._plan.rate, time.monotonic() - 0.2)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), max(0.0, begin_at - time.monotonic()))

    async def _finish(self) -> None:
        pending = set(self._in_flight)
        if pending:
            _, late = await asyncio.wait(pending, timeout=self._plan.patience_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _do(self, deed: str) -> None:
        await self._deeds[deed]()

    async def _settled(self, request: Request, call: HttpCall) -> Call:
        return await self._client.until_settled(request, call, patience_seconds=self._plan.patience_seconds)

    async def _create(self, **fields: object) -> None:
        key = str(new_id())
        title = f"load {key[-12:]}"
        body = {"title": title, "notes": created_by(key), "tags": ["load"], **fields}
        request = Request(operation=Operation.CREATE, key=key, marker=title)
        answer = (await self._settled(request, HttpCall("POST", "/v1/tasks", json=body))).answer
        if answer.outcome is Outcome.ACKNOWLEDGED and answer.task_id and answer.version:
            self._free.append(_Held(answer.task_id, answer.version))

    async def _create_with_reminder(self) -> None:
        due_at = datetime.now(UTC) + timedelta(seconds=3)
        await self._create(remind=True, due_at=due_at.isoformat())

    async def _change(self) -> None:
        held = self._take()
        if held is None:
            await self._create()
            return
        held.changes += 1
        # Every sixth change is meant for an old version and must be refused; every fifth for whatever is there.
        stale = held.changes % 6 == 0 and held.version > 1
        expected = f'"{held.version - 1}"' if stale else "*" if held.changes % 5 == 0 else f'"{held.version}"'
        key = str(new_id())
        request = Request(operation=Operation.CHANGE, key=key, task_id=held.task_id, marker=f"load {key[-12:]}")
        call = HttpCall(
            "PATCH", f"/v1/tasks/{held.task_id}", json={"title": request.marker}, headers={"If-Match": expected}
        )
        answer = (await self._settled(request, call)).answer
        if answer.outcome is Outcome.ACKNOWLEDGED and answer.version:
            held.version = answer.version
        if answer.outcome is not Outcome.UNKNOWN:
            self._free.append(held)

    async def _delete(self) -> None:
        held = self._take()
        if held is None:
            await self._create()
            return
        request = Request(operation=Operation.DELETE, key=str(new_id()), task_id=held.task_id)
        headers = {"If-Match": f'"{held.version}"'}
        await self._settled(request, HttpCall("DELETE", f"/v1/tasks/{held.task_id}", headers=headers))

    def _take(self) -> _Held | None:
        if not self._free:
            return None
        number = self._random.randrange(len(self._free))
        self._free[number], self._free[-1] = self._free[-1], self._free[number]
        return self._free.pop()

    async def _effect(self) -> None:
        await submit_job(self._client, EFFECT_KIND, {}, patience_seconds=self._plan.patience_seconds)

    async def _steps(self) -> None:
        args = {"steps": self._plan.step_count, "step_seconds": self._plan.step_seconds}
        await submit_job(
            self._client, STEPS_KIND, args, size=self._plan.step_count, patience_seconds=self._plan.patience_seconds
        )

    async def _import(self) -> None:
        await submit_import(self._client, self._plan.import_entries, patience_seconds=self._plan.patience_seconds)

    async def _read(self) -> None:
        held = self._random.choice(self._free) if self._free else None
        path = f"/v1/tasks/{held.task_id}" if held else "/v1/tasks"
        request = Request(operation=Operation.READ, key=str(new_id()), task_id=held.task_id if held else None)
        await self._client.once(request, HttpCall("GET", path))

    async def _search(self) -> None:
        request = Request(operation=Operation.SEARCH, key=str(new_id()))
        await self._client.once(request, HttpCall("GET", "/v1/search", params={"q": "load"}))
