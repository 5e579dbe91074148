"""Search as the API asks for it: from Elasticsearch, or from PostgreSQL while that is slow or away."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, Self

import structlog
from elasticsearch import ApiError, AsyncElasticsearch, TransportError
from sqlalchemy import Connection

from taskhub_core.search.breaker import BreakerState, CircuitBreaker
from taskhub_core.search.client import SearchFailure, classify, make_async_client
from taskhub_core.search.cursor import Cursor, CursorExpired, read_cursor
from taskhub_core.search.document import from_hit
from taskhub_core.search.fallback import search_tables
from taskhub_core.search.query import PartialAnswer, search_index
from taskhub_core.search.request import Found, SearchAnswer, SearchRequest, Source
from taskhub_core.settings import SearchSettings
from taskhub_core.tasks.task import Task
from taskhub_core.telemetry import metrics

_log = structlog.get_logger(__name__)

_PROBE_SECONDS = 1.0
_PROBE_SECONDS_MAX = 2.0
"""A returned Elasticsearch is noticed within this time; the promise is 10 s."""
_PROBE_TIMEOUT_SECONDS = 5.0
_WARMING_SEARCHES = 10
_WARMING_TIMEOUT_MS = 2_000
_GET_SECONDS = 0.15
"""The client has waited for PostgreSQL already, and is promised an answer within 2 s."""


class RunUnit(Protocol):
    """Runs a unit of work on PostgreSQL, as the API does for every route."""

    def __call__[T](self, work: Callable[[Connection], T], /) -> Awaitable[T]:
        """Returns what `work` returned, or raises Unavailable."""
        ...


class _Away(Exception):
    """Elasticsearch does not answer this search; the reason is a metric label."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SearchService:
    """One a process, used from its event loop. Close it at the end.

    An answer whose source is Elasticsearch did not touch PostgreSQL: the API gives such answers also while PostgreSQL
    is away, and labels them stale then.
    """

    def __init__(self, settings: SearchSettings, run_unit: RunUnit) -> None:
        self._run_unit = run_unit
        self._alias = settings.search_alias
        self._timeout_ms = settings.search_timeout_ms
        self._breaker = CircuitBreaker("elasticsearch")
        self._probe: asyncio.Task[None] | None = None
        self._client: AsyncElasticsearch | None = None
        if settings.elasticsearch_url is not None:
            # The deadline below is the one that counts; this one only ends what it may have left behind.
            self._client = make_async_client(settings, timeout_seconds=self._timeout_ms / 1_000 + 5)

    @property
    def breaker_state(self) -> BreakerState:
        """Whether Elasticsearch is asked at present, for the status page."""
        return self._breaker.state

    async def search(self, request: SearchRequest) -> SearchAnswer:
        """One page of hits.

        Raises InvalidInput (the cursor is not of this search), CursorExpired (the page that the cursor continues came
        from Elasticsearch, which is away now), and what `run_unit` raises when PostgreSQL is away as well.
        """
        cursor = read_cursor(request)
        if self._client is None:
            if cursor is not None and cursor.source is not Source.POSTGRESQL:
                raise CursorExpired
            return await self._from_tables(request, cursor)
        if cursor is not None and cursor.source is Source.POSTGRESQL:
            return await self._from_tables(request, cursor, degraded_because="cursor")
        try:
            found = await self._from_index(self._client, request, cursor)
        except _Away as away:
            if cursor is not None:
                raise CursorExpired from away
            return await self._from_tables(request, None, degraded_because=away.reason)
        return _answer(found, Source.ELASTICSEARCH)

    async def get_task(self, account_id: uuid.UUID, task_id: uuid.UUID) -> Task | None:
        """The task as the index has it, for a reader whom PostgreSQL did not answer; label it stale.

        None when the index does not answer at once, or does not have the task, which then proves nothing.
        """
        if self._client is None or not self._breaker.lets_through:
            return None
        try:
            async with asyncio.timeout(_GET_SECONDS):
                found = await self._client.get(index=self._alias, id=str(task_id))
        except (ApiError, TransportError, TimeoutError) as error:
            _log.info("the index could not stand in for PostgreSQL", reason=classify(error))
            return None
        source = found["_source"]
        if source["deleted"] or source["account_id"] != str(account_id):
            return None
        return from_hit(source)

    async def close(self) -> None:
        """Stops the probe and closes the connections."""
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _from_tables(
        self, request: SearchRequest, cursor: Cursor | None, *, degraded_because: str | None = None
    ) -> SearchAnswer:
        found = await self._run_unit(lambda connection: search_tables(connection, request, cursor))
        if degraded_because is not None:
            metrics.SEARCHES_DEGRADED.labels(reason=degraded_because).inc()
        return _answer(found, Source.POSTGRESQL, reason=degraded_because)

    async def _from_index(self, client: AsyncElasticsearch, request: SearchRequest, cursor: Cursor | None) -> Found:
        if not self._breaker.lets_through:
            raise _Away("breaker_open")
        try:
            found = await self._ask(client, request, cursor)
        except _Away as away:
            # A request that Elasticsearch refuses says nothing about its health.
            if away.reason != SearchFailure.REFUSED and self._breaker.failed():
                _log.warning("search fell back to PostgreSQL", reason=away.reason)
                self._probe = asyncio.create_task(self._probe_until_back(client, request), name="search-probe")
            raise
        self._breaker.succeeded()
        return found

    async def _ask(self, client: AsyncElasticsearch, request: SearchRequest, cursor: Cursor | None) -> Found:
        try:
            async with asyncio.timeout(self._timeout_ms / 1_000):
                return await search_index(client, self._alias, request, cursor, timeout_ms=self._timeout_ms)
        except (ApiError, TransportError, TimeoutError) as error:
            failure = classify(error)
            if failure is SearchFailure.REFUSED:
                _log.error("Elasticsearch refused a search", error=str(error))
            raise _Away(failure) from error
        except PartialAnswer as error:
            raise _Away(SearchFailure.TIMEOUT) from error

    async def _probe_until_back(self, client: AsyncElasticsearch, failed: SearchRequest) -> None:
        """Asks until a real search of the alias succeeds: a missing index is as bad as a missing server."""
        pause = _PROBE_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _PROBE_SECONDS_MAX)
            self._breaker.probe_begins()
            try:
                async with asyncio.timeout(_PROBE_TIMEOUT_SECONDS):
                    await client.search(index=self._alias, size=1, allow_partial_search_results=False)
            except (ApiError, TransportError, TimeoutError) as error:
                _log.debug("search probe failed", reason=classify(error))
                self._breaker.probe_failed()
            else:
                await self._warm(client, failed)
                self._breaker.probe_succeeded()
                _log.info("search is back in Elasticsearch")
                return

    async def _warm(self, client: AsyncElasticsearch, failed: SearchRequest) -> None:
        """Repeats the search that failed until it is answered in the time that a client's may take.

        An Elasticsearch that has just started answers its first searches slowly: these are they, and not the clients'.
        They are few, because it may be this one search that is slow, and not Elasticsearch.
        """
        for _ in range(_WARMING_SEARCHES):
            began = time.monotonic()
            with suppress(ApiError, TransportError, TimeoutError, PartialAnswer):
                async with asyncio.timeout(_WARMING_TIMEOUT_MS / 1_000):
                    await search_index(client, self._alias, failed, None, timeout_ms=_WARMING_TIMEOUT_MS)
                if time.monotonic() - began < self._timeout_ms / 1_000:
                    return


def _answer(found: Found, source: Source, *, reason: str | None = None) -> SearchAnswer:
    metrics.SEARCHES.labels(source=source).inc()
    return SearchAnswer(
        hits=found.hits, next_cursor=found.next_cursor, source=source, degraded=reason is not None, reason=reason
    )
