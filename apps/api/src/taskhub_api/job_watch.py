"""Watches the jobs that clients follow: one query every half second for all of them, however many streams there are."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from taskhub_api.database import Database
from taskhub_api.problems import Problem
from taskhub_core.errors import Unavailable
from taskhub_core.jobs.watch import Snapshot, snapshots
from taskhub_core.telemetry import metrics

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.5


class Watcher:
    """One stream's view of one job. `wait` returns when there is something to look at."""

    def __init__(self, job_id: uuid.UUID) -> None:
        self.job_id = job_id
        self.snapshot: Snapshot | None = None
        """The last one read; None before the first."""
        self.gone = False
        """The job no longer exists."""
        self.away = False
        """PostgreSQL did not answer the last time."""
        self._changed = asyncio.Event()

    async def wait(self, *, seconds: float) -> None:
        """Returns at the next change, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    def found(self, snapshot: Snapshot | None) -> None:
        """PostgreSQL answered."""
        if self.away or snapshot != self.snapshot:
            self._changed.set()
        self.snapshot, self.gone, self.away = snapshot or self.snapshot, snapshot is None, False

    def not_found_out(self) -> None:
        """PostgreSQL did not answer."""
        if not self.away:
            self._changed.set()
        self.away = True


class JobWatch:
    """The watchers of this process, and the one task that reads for all of them while there are any."""

    def __init__(self, database: Database, *, max_watchers: int) -> None:
        self._database = database
        self._max_watchers = max_watchers
        self._watchers: set[Watcher] = set()
        self._poller: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watching(self, job_id: uuid.UUID) -> AsyncIterator[Watcher]:
        """A watcher for as long as the block lasts. Raises Problem overloaded when there are too many already."""
        if len(self._watchers) >= self._max_watchers:
            metrics.REQUESTS_SHED.labels(reason="streams").inc()
            raise Problem(
                "overloaded", f"This server already has {self._max_watchers} open streams.", {"Retry-After": "5"}
            )
        watcher = Watcher(job_id)
        self._watchers.add(watcher)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="job-watch")
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def close(self) -> None:
        """Stops reading."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    async def _poll(self) -> None:
        try:
            while self._watchers:
                await self._read_once()
                await asyncio.sleep(POLL_SECONDS)
        finally:
            self._poller = None

    async def _read_once(self) -> None:
        watchers = tuple(self._watchers)
        job_ids = {watcher.job_id for watcher in watchers}
        try:
            read = await self._database.read(lambda connection: snapshots(connection, job_ids))
        except (Unavailable, DBAPIError, PoolTimeout) as error:
            log.warning("watched jobs could not be read", streams=len(watchers), error=type(error).__name__)
            for watcher in watchers:
                watcher.not_found_out()
            return
        for watcher in watchers:
            watcher.found(read.get(watcher.job_id))
