"""The stage that a case acts on: the target under load, with clocks and waiting at hand."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import psycopg

from taskhub_local.errors import LocalError
from taskhub_local.faults.client import Client
from taskhub_local.faults.observe import Eyes
from taskhub_local.faults.reach import Reach
from taskhub_local.faults.rewind import Rewind
from taskhub_local.faults.target import Target

if TYPE_CHECKING:
    from taskhub_local.faults.host import Host

_LAST_ANSWER_SECONDS = 30.0  # longer than the client's own patience


class Stage:
    """What `act` gets."""

    def __init__(
        self,
        reach: Reach,
        client: Client,
        eyes: Eyes,
        *,
        kinds: bool,
        host: "Host | None",
        say: Callable[[str], None],
        look_seconds: float,
    ) -> None:
        self.reach = reach
        self.client = client
        self.eyes = eyes
        self.kinds = kinds
        """Whether the platform knows the job kinds of the fault driver."""
        self.say = say
        self.began_at: float | None = None
        self.recovered_at: float | None = None
        self.measured_until = math.inf
        self.notes: list[str] = []
        self.rewind: Rewind | None = None
        """Set by a case that has taken PostgreSQL back to an earlier time: the ledger is taken back, too."""
        self._host = host
        self._look_seconds = look_seconds

    @property
    def target(self) -> Target:
        """The processes of this machine, to be killed and frozen. Raises LocalError where the platform is elsewhere."""
        if not isinstance(self.reach, Target):
            raise LocalError("this needs a platform that runs as processes of this machine")
        return self.reach

    @property
    def host(self) -> "Host":
        """The platform's owner, for cases that need one. Raises LocalError on somebody else's platform."""
        if self._host is None:
            raise LocalError("this needs a platform that the fault driver itself has started")
        return self._host

    def breaks(self, what: str) -> float:
        """Say what is being done now, and return the time. The first call is the fault's beginning."""
        now = time.time()
        self.began_at = self.began_at or now
        self.say(what)
        return now

    def heals(self, what: str) -> float:
        """Say what is well again, and return the time."""
        self.say(what)
        return time.time()

    def recovered(self, what: str) -> None:
        """The case has seen what it waited for."""
        self.recovered_at = time.time()
        self.say(what)

    async def ends_here(self) -> None:
        """What begins from now on belongs to clearing up, and is not measured.

        Returns once whatever began before has an answer: a server that is stopped next may cut what is on its way.
        """
        until = self.measured_until = time.time()

        def answered() -> bool:
            return not self.client.ledger.unanswered(before=until)

        await self.until(answered, seconds=_LAST_ANSWER_SECONDS, what="every request so far has its answer")

    async def last(self, seconds: float) -> None:
        """Let the fault last, with the load going on."""
        await asyncio.sleep(seconds)

    async def freezes(self, part: str, title: str, seconds: float) -> float:
        """SIGSTOP a part for so long, then SIGCONT; return the time of that. `title` is for people."""
        self.breaks(f"SIGSTOP of {title} for {seconds:g} s")
        frozen = self.target.freeze(part)
        try:
            await self.last(seconds)
        finally:
            frozen.thaw()
        return self.heals(f"SIGCONT of {title}")

    async def until[T](self, condition: Callable[[], T | None], *, seconds: float, what: str) -> T:
        """Wait until the condition returns something true, and return that.

        A part that does not answer, or does not run, counts as "not yet". Raises LocalError after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while True:
            value, problem = await asyncio.to_thread(lambda: _ask(condition))
            if value:
                return value
            if time.monotonic() > deadline:
                raise LocalError(f"waited {seconds:g} s in vain until {what}{problem}")
            await asyncio.sleep(self._look_seconds)

    async def until_replaced(self, part: str, former_pid: int, *, seconds: float = 120.0) -> float:
        """Wait until the supervisor has a part ready in another process than that one; return that time."""

        def replaced() -> bool:
            return self.target.is_ready(part) and self.target.process(part).pid != former_pid

        await self.until(replaced, seconds=seconds, what=f"{part} runs again")
        return self.heals(f"{part} runs again")

    async def until_postgres_accepts(self, *, seconds: float = 60.0) -> float:
        """Wait until PostgreSQL answers a session of our own; return that time."""

        def answers() -> bool:
            with psycopg.connect(self.reach.database_url, connect_timeout=1) as session:
                return session.execute("SELECT 1").fetchone() == (1,)

        await self.until(answers, seconds=seconds, what="PostgreSQL accepts sessions")
        return self.heals("PostgreSQL accepts sessions")


def _ask[T](condition: Callable[[], T | None]) -> tuple[T | None, str]:
    try:
        return condition(), ""
    except (psycopg.Error, httpx.HTTPError, LocalError, OSError) as error:
        return None, f" ({error!r})"
