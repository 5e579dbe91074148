"""Units of work of the API: one request = one transaction, within a deadline whatever PostgreSQL does (rules 5, 6)."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from taskhub_core.database.abort import abort
from taskhub_core.database.engine import engine_options, sqlalchemy_url
from taskhub_core.database.failures import classify
from taskhub_core.database.unit_of_work import RETRIED, Backoff
from taskhub_core.errors import OutcomeUnknown, Unavailable
from taskhub_core.settings import DatabaseSettings
from taskhub_core.telemetry import metrics


class Database:
    """Runs units of work. A unit is a plain function of a Connection, the same kind that workers run."""

    def __init__(self, settings: DatabaseSettings, *, deadline_seconds: float) -> None:
        options = engine_options(settings, application_name="taskhub-api")
        self.engine: AsyncEngine = create_async_engine(sqlalchemy_url(settings), **options)
        self._deadline_seconds = deadline_seconds
        self._backoff = Backoff()
        self._abandoned: set[asyncio.Task[Any]] = set()

    async def run[T](
        self, work: Callable[[Connection], T], *, recover: Callable[[Connection], T | None] | None = None
    ) -> T:
        """Commits `work` and returns what it returned.

        Connection losses, serialization failures and deadlocks are repeated within the deadline. When the connection is
        lost during COMMIT, `recover` looks up whether the work was done: it returns the answer if so, and None if the
        work may be repeated. Without `recover` the outcome stays unknown.

        Raises Unavailable at the deadline, OutcomeUnknown, and whatever `work` raises.
        """
        attempt = _Attempt()
        unit = asyncio.ensure_future(self._repeat(work, recover, attempt))
        try:
            await asyncio.wait({unit}, timeout=self._deadline_seconds)
        finally:
            if not unit.done():  # the deadline, or a client that went away
                self._abandon(unit, attempt)
        if unit in self._abandoned:
            if attempt.committing:
                raise OutcomeUnknown("PostgreSQL did not confirm the change in time.", dependency="postgresql")
            raise Unavailable("PostgreSQL did not answer in time.", dependency="postgresql")
        return unit.result()

    def _abandon(self, unit: asyncio.Task[Any], attempt: "_Attempt") -> None:
        """Leaves the unit behind: its connection is broken, so that it ends by itself, and its end is looked at."""
        attempt.abandoned = True
        self._abandoned.add(unit)
        if attempt.connection is not None:
            abort(attempt.connection)  # breaking it does not change what the server makes of a COMMIT under way

        def forget(ended: asyncio.Task[Any]) -> None:
            self._abandoned.discard(ended)
            if not ended.cancelled():
                ended.exception()

        unit.add_done_callback(forget)

    async def _repeat[T](
        self,
        work: Callable[[Connection], T],
        recover: Callable[[Connection], T | None] | None,
        attempt: "_Attempt",
    ) -> T:
        failures = 0
        unknown = False
        while True:
            try:
                if unknown and recover is not None:
                    found = await self._once(recover, _Attempt())
                    metrics.DATABASE_UNKNOWN_COMMITS.labels(found="done" if found is not None else "not done").inc()
                    if found is not None:
                        return found
                    unknown = False
                return await self._once(work, attempt)
            except (DBAPIError, PoolTimeout) as error:
                failure = classify(error)
                if failure not in RETRIED or attempt.abandoned:
                    raise
                if attempt.committing:
                    if recover is None:
                        metrics.DATABASE_UNKNOWN_COMMITS.labels(found="not looked up").inc()
                        raise OutcomeUnknown(
                            "The connection to PostgreSQL was lost while committing.", dependency="postgresql"
                        ) from error
                    unknown = True
                failures += 1
                metrics.DATABASE_RETRIES.labels(reason=failure.value).inc()
                attempt.connection, attempt.committing = None, False
                await asyncio.sleep(self._backoff.delay(failures))

    async def _once[T](self, work: Callable[[Connection], T], attempt: "_Attempt") -> T:
        async with self.engine.connect() as connection:
            attempt.connection = connection.sync_connection
            result = await connection.run_sync(work)
            attempt.committing = True
            await connection.commit()
            attempt.committing = False
        return result

    async def close(self) -> None:
        """Closes every connection."""
        await self.engine.dispose()


class _Attempt:
    """What is known of a unit under way, for whoever has to leave it behind."""

    __slots__ = ("abandoned", "committing", "connection")

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.committing = False
        self.abandoned = False
