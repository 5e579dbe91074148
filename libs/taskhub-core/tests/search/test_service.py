"""Searches while Elasticsearch, or PostgreSQL, is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Connection

from taskhub_core.errors import Unavailable
from taskhub_core.search.breaker import BreakerState
from taskhub_core.search.cursor import CursorExpired
from taskhub_core.search.query import search_index
from taskhub_core.search.request import SearchAnswer, SearchRequest, Source
from taskhub_core.search.service import SearchService
from taskhub_local.testing import wait_for_async
from taskhub_local.testing.proxy import TcpProxy

from .conftest import Library, search_settings, titles

TIMEOUT_MS = 400


@pytest.fixture
def proxy(elasticsearch_url: str) -> Iterator[TcpProxy]:
    with TcpProxy(elasticsearch_url) as proxy:
        yield proxy


type Story = Callable[[SearchService], Awaitable[None]]


@pytest.fixture
def tell(library: Library, proxy: TcpProxy) -> Callable[[Story], None]:
    """Runs a story with a service whose Elasticsearch is behind the proxy."""
    settings = search_settings(elasticsearch_url=proxy.url, search_alias=library.alias, search_timeout_ms=TIMEOUT_MS)

    def run(story: Story) -> None:
        async def told() -> None:
            async with SearchService(settings, library.run_unit) as service:
                await _until_answered_by(service, library, Source.ELASTICSEARCH)
                await story(service)

        asyncio.run(told())

    return run


async def _search(service: SearchService, library: Library, query: str = "report", **more: Any) -> SearchAnswer:
    return await service.search(SearchRequest(account_id=library.account_id, text=query, **more))


async def _until_answered_by(service: SearchService, library: Library, source: Source) -> None:
    """The first searches of a cold Elasticsearch may take longer than a search may."""

    async def answered() -> bool:
        return (await _search(service, library)).source is source

    await wait_for_async(answered, deadline_seconds=20, message=f"{source} does not answer")


def _metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize("fault", ["refuse", "freeze"])
def test_postgresql_answers_while_elasticsearch_is_away_and_it_comes_back_by_itself(
    library: Library, proxy: TcpProxy, tell: Callable[[Story], None], fault: str
) -> None:
    library.index(library.add(["report one"]))
    degraded = [_metric("taskhub_searches_degraded_total", reason="breaker_open")]

    async def story(service: SearchService) -> None:
        getattr(proxy, fault)()
        for _ in range(3):
            began = time.monotonic()
            answer = await _search(service, library)
            assert time.monotonic() - began < TIMEOUT_MS / 1_000 + 2
            assert (answer.source, answer.degraded, titles(answer)) == (Source.POSTGRESQL, True, ["report one"])
            assert answer.reason == ("timeout" if fault == "freeze" else "unreachable")
        assert service.breaker_state is not BreakerState.CLOSED
        answer = await _search(service, library)
        assert (answer.source, answer.reason) == (Source.POSTGRESQL, "breaker_open")
        degraded.append(_metric("taskhub_searches_degraded_total", reason="breaker_open"))
        proxy.restore()

        async def closed() -> bool:
            return service.breaker_state is BreakerState.CLOSED

        await wait_for_async(closed, deadline_seconds=10, message="the breaker did not close by itself")
        await _until_answered_by(service, library, Source.ELASTICSEARCH)
        assert _metric("taskhub_breaker_state", breaker="elasticsearch") == BreakerState.CLOSED

    tell(story)
    assert degraded[1] == degraded[0] + 1


def test_an_elasticsearch_that_is_slow_at_first_is_warmed_by_probes_and_not_by_clients(
    library: Library, tell: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(library.add(["report one"]))
    slow_answers = 6
    asked: list[str] = []

    async def cold(client: Any, alias: str, request: SearchRequest, *rest: Any, **more: Any) -> Any:
        asked.append(request.text)
        if len(asked) <= slow_answers:
            await asyncio.sleep(TIMEOUT_MS / 1_000 + 0.2)
        return await search_index(client, alias, request, *rest, **more)

    async def story(service: SearchService) -> None:
        monkeypatch.setattr("taskhub_core.search.service.search_index", cold)
        for _ in range(3):
            assert (await _search(service, library)).reason == "timeout"

        async def answered() -> bool:
            answer = await _search(service, library)
            assert answer.reason in {"breaker_open", None}, "a client waited for an Elasticsearch that is cold"
            return answer.source is Source.ELASTICSEARCH

        await wait_for_async(answered, deadline_seconds=20, message="search is not back")

    tell(story)


def test_one_search_that_is_always_slow_does_not_keep_all_others_from_elasticsearch(
    library: Library, tell: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(library.add(["report one"]))

    async def slow(client: Any, alias: str, request: SearchRequest, *rest: Any, **more: Any) -> Any:
        if request.text == "slow":
            await asyncio.sleep(TIMEOUT_MS / 1_000 + 0.2)
        return await search_index(client, alias, request, *rest, **more)

    async def story(service: SearchService) -> None:
        monkeypatch.setattr("taskhub_core.search.service.search_index", slow)
        for _ in range(3):
            assert (await _search(service, library, "slow")).reason == "timeout"
        await _until_answered_by(service, library, Source.ELASTICSEARCH)

    tell(story)


def test_a_missing_index_is_answered_by_postgresql_until_it_is_there_again(
    library: Library, tell: Callable[[Story], None]
) -> None:
    tasks = library.add(["report one"])
    library.index(tasks)

    async def story(service: SearchService) -> None:
        (name,) = await asyncio.to_thread(lambda: list(library.client.indices.get_alias(name=library.alias)))
        actions = [{"remove": {"index": name, "alias": library.alias}}]
        await asyncio.to_thread(lambda: library.client.indices.update_aliases(actions=actions))
        answer = await _search(service, library)
        assert (answer.source, answer.degraded, answer.reason) == (Source.POSTGRESQL, True, "missing")
        assert titles(answer) == ["report one"]
        actions = [{"add": {"index": name, "alias": library.alias}}]
        await asyncio.to_thread(lambda: library.client.indices.update_aliases(actions=actions))
        await _until_answered_by(service, library, Source.ELASTICSEARCH)

    tell(story)


def test_a_cursor_of_elasticsearch_expires_while_it_is_away_and_lives_when_it_is_back(
    library: Library, proxy: TcpProxy, tell: Callable[[Story], None]
) -> None:
    library.index(library.add([f"report {n}" for n in range(4)]))

    async def story(service: SearchService) -> None:
        first = await _search(service, library, limit=2)
        proxy.refuse()
        with pytest.raises(CursorExpired):
            await _search(service, library, limit=2, cursor=first.next_cursor)
        proxy.restore()
        await _until_answered_by(service, library, Source.ELASTICSEARCH)
        second = await _search(service, library, limit=2, cursor=first.next_cursor)
        assert {*titles(first), *titles(second)} == {f"report {n}" for n in range(4)}

    tell(story)


def test_a_cursor_of_postgresql_goes_on_in_postgresql_when_elasticsearch_is_back(
    library: Library, proxy: TcpProxy, tell: Callable[[Story], None]
) -> None:
    library.index(library.add([f"report {n}" for n in range(4)]))

    async def story(service: SearchService) -> None:
        proxy.refuse()
        first = await _search(service, library, limit=2)
        assert first.source is Source.POSTGRESQL
        proxy.restore()
        await _until_answered_by(service, library, Source.ELASTICSEARCH)
        second = await _search(service, library, limit=2, cursor=first.next_cursor)
        assert (second.source, second.degraded, second.reason) == (Source.POSTGRESQL, True, "cursor")
        assert {*titles(first), *titles(second)} == {f"report {n}" for n in range(4)}

    tell(story)


def test_elasticsearch_answers_while_postgresql_is_away(library: Library, elasticsearch_url: str) -> None:
    library.index(library.add(["report one"]))
    settings = search_settings(
        elasticsearch_url=elasticsearch_url, search_alias=library.alias, search_timeout_ms=20_000
    )

    async def away[T](work: Callable[[Connection], T], /) -> T:
        raise Unavailable("PostgreSQL does not answer.", dependency="postgresql")

    async def story() -> None:
        async with SearchService(settings, away) as service:
            answer = await _search(service, library)
            assert (answer.source, answer.degraded, titles(answer)) == (Source.ELASTICSEARCH, False, ["report one"])

    asyncio.run(story())
