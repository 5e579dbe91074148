"""Units of work of the API: one request = one transaction, within a deadline whatever PostgreSQL does (rules 5, 6)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import greenlet_spawn

from taskhub_api.freshness import check_at_checkout
from taskhub_core.database.abort import DriverConnection, abort_driver
from taskhub_core.database.engine import engine_options, leave_read_only_servers, sqlalchemy_url
from taskhub_core.database.failures import Failure, classify
from taskhub_core.database.unit_of_work import RETRIED, Backoff
from taskhub_core.errors import OutcomeUnknown, Unavailable
from taskhub_core.settings import DatabaseSettings
from taskhub_core.telemetry import metrics


class _Abandoned(Exception):
    """Nobody waits for this unit any more: it must not commit."""


class _Attempt:
    """What is known of a unit under way, for whoever has to leave it behind."""

    __slots__ = ("abandoned", "committing", "driver", "engine", "unknown")

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.driver: DriverConnection | None = None
        """The connection that it uses, or last used."""
        self.committing = False
        self.unknown = False
        """A COMMIT was lost and has not been looked up yet."""
        self.abandoned = False

    def stop_if_abandoned(self) -> None:
        if self.abandoned:
            raise _Abandoned


_current: ContextVar[_Attempt | None] = ContextVar("unit of work", default=None)


class Database:
    """Runs units of work. A unit is a plain function of a Connection, the same kind that workers run."""

    def __init__(self, settings: DatabaseSettings, *, deadline_seconds: float) -> None:
        options = engine_options(settings, application_name="taskhub-api") | {"pool_pre_ping": False}
        self.engine: AsyncEngine = create_async_engine(sqlalchemy_url(settings), **options)
        # A whole unit runs in one greenlet, on the engine's synchronous face: each of its calls alone would take one.
        self._writers = self.engine.sync_engine
        self._readers = self._writers.execution_options(isolation_level="AUTOCOMMIT")
        leave_read_only_servers(self._writers)
        check_at_checkout(self._writers, before=_remember_connection)
        self._deadline_seconds = deadline_seconds
        self._backoff = Backoff()
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._pool_size = settings.database_pool_size
        self._opening: set[asyncio.Task[None]] = set()

    async def open_ahead(self, *, seconds: float) -> None:
        """Opens the pool's connections before requests need them, for at most so many seconds.

        A process that has just started would otherwise connect while its first requests wait: on a busy machine, past
        their deadline. What is not open by then, because PostgreSQL is slow or away, is opened when it is needed.
        """
        over = asyncio.Event()
        left = self._pool_size

        async def hold() -> None:
            nonlocal left
            try:
                async with self.engine.connect():
                    left -= 1
                    if not left:
                        over.set()
                    await over.wait()  # each of them its own, not one that another has given back
            except (DBAPIError, OSError):
                over.set()

        self._opening = {asyncio.create_task(hold()) for _ in range(self._pool_size)}
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), timeout=seconds)
        over.set()

    async def run[T](
        self, work: Callable[[Connection], T], *, recover: Callable[[Connection], T | None] | None = None
    ) -> T:
        """Commits `work` and returns what it returned.

        Connection losses, serialization failures and deadlocks are repeated within the deadline. When the connection is
        lost during COMMIT, `recover` looks up whether the work was done: it returns the answer if so, and None if the
        work may be repeated. Without `recover` the outcome stays unknown.

        Raises Unavailable at the deadline, OutcomeUnknown, and whatever `work` raises.
        """
        return await self._within_deadline(work, recover, _Attempt(self._writers))

    async def read[T](self, work: Callable[[Connection], T]) -> T:
        """Returns what `work` returned, which only reads: without a transaction, so without BEGIN and COMMIT.

        (In READ COMMITTED each statement sees a state of its own anyway.) Repeated as `run` does.
        Raises Unavailable at the deadline, and whatever `work` raises.
        """
        return await self._within_deadline(work, None, _Attempt(self._readers))

    async def _within_deadline[T](
        self, work: Callable[[Connection], T], recover: Callable[[Connection], T | None] | None, attempt: _Attempt
    ) -> T:
        unit = asyncio.ensure_future(self._repeat(work, recover, attempt))
        try:
            await asyncio.wait({unit}, timeout=self._deadline_seconds)
        finally:
            if not unit.done():  # the deadline, or a client that went away
                self._abandon(unit, attempt)
        if unit in self._abandoned:
            if attempt.committing or attempt.unknown:
                raise OutcomeUnknown("PostgreSQL did not confirm the change in time.", dependency="postgresql")
            raise Unavailable("PostgreSQL did not answer in time.", dependency="postgresql")
        return unit.result()

    def _abandon(self, unit: asyncio.Task[Any], attempt: _Attempt) -> None:
        """Leaves the unit behind: its connection is broken, so that it ends by itself, and its end is looked at."""
        attempt.abandoned = True
        self._abandoned.add(unit)
        if attempt.driver is not None:
            abort_driver(attempt.driver)  # breaking it does not change what the server makes of a COMMIT under way

        def forget(ended: asyncio.Task[Any]) -> None:
            self._abandoned.discard(ended)
            if not ended.cancelled():
                ended.exception()

        unit.add_done_callback(forget)

    async def _repeat[T](
        self,
        work: Callable[[Connection], T],
        recover: Callable[[Connection], T | None] | None,
        attempt: _Attempt,
    ) -> T:
        _current.set(attempt)
        failures = 0
        while True:
            attempt.stop_if_abandoned()
            try:
                if attempt.unknown and recover is not None:
                    found = await self._look_up(recover, attempt)
                    if found is not None:
                        return found
                return await self._once(work, attempt)
            except (DBAPIError, PoolTimeout) as error:
                failure = classify(error)
                if failure not in RETRIED or attempt.abandoned:
                    raise
                if attempt.committing and failure is Failure.UNAVAILABLE:
                    if recover is None:
                        metrics.DATABASE_UNKNOWN_COMMITS.labels(found="not looked up").inc()
                        raise OutcomeUnknown(
                            "The connection to PostgreSQL was lost while committing.", dependency="postgresql"
                        ) from error
                    attempt.unknown = True
                failures += 1
                metrics.DATABASE_RETRIES.labels(reason=failure.value).inc()
                attempt.driver, attempt.committing = None, False
                await asyncio.sleep(self._backoff.delay(failures))

    async def _look_up[T](self, recover: Callable[[Connection], T | None], attempt: _Attempt) -> T | None:
        def look_up() -> T | None:
            with self._readers.connect() as connection:
                return recover(connection)

        found = await greenlet_spawn(look_up)
        metrics.DATABASE_UNKNOWN_COMMITS.labels(found="done" if found is not None else "not done").inc()
        attempt.unknown = False
        return found

    async def _once[T](self, work: Callable[[Connection], T], attempt: _Attempt) -> T:
        def unit() -> T:
            with attempt.engine.connect() as connection:
                attempt.stop_if_abandoned()  # it may have waited for the connection until nobody waited for it
                result = work(connection)
                if attempt.engine is self._writers:
                    attempt.stop_if_abandoned()
                    # Stays true: between the COMMIT and the end of the unit, too, nobody may say that nothing was
                    # changed.
                    attempt.committing = True
                    connection.commit()
                return result

        return await greenlet_spawn(unit)

    async def close(self) -> None:
        """Closes every connection."""
        for opening in self._opening:
            opening.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        await self.engine.dispose()


def _remember_connection(driver: DriverConnection) -> None:
    """Lets the unit of work that takes a connection out of the pool be freed from it, also while it is checked."""
    attempt = _current.get()
    if attempt is not None:
        attempt.driver = driver
