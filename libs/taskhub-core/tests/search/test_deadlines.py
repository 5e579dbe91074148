"""Searches that nobody waits for any longer leave nothing behind."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from elasticsearch import AsyncElasticsearch

from taskhub_core.search.client import make_async_client
from taskhub_core.settings import SearchSettings

_BODY = b'{"timed_out": false, "hits": {"hits": []}}'
_HEAD = (
    "HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\n"
    "Content-Type: application/vnd.elasticsearch+json;compatible-with=9\r\n"
    f"Content-Length: {len(_BODY)}\r\n\r\n"
).encode()
_AT_ONCE = 30
"""More than the client has connections, so that some searches wait for one."""
_ROUNDS = 10


class _Server:
    """Answers every search, `delay_seconds` late."""

    delay_seconds = 0.0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(self.delay_seconds)
                writer.write(_HEAD + _BODY)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def _served(server: _Server) -> AsyncIterator[AsyncElasticsearch]:
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    settings = SearchSettings(elasticsearch_url=f"http://127.0.0.1:{port}")
    async with listening, make_async_client(settings, timeout_seconds=10) as client:
        yield client


async def _search(client: AsyncElasticsearch, seconds: float) -> bool:
    """Whether a search was answered within a time."""
    try:
        async with asyncio.timeout(seconds):
            await client.search(index="tasks")
    except TimeoutError:
        return False
    return True


async def _run_out_of_time(rounds: int) -> list[bool]:
    """Whether each of three searches was answered, after rounds of searches of which most were not waited for."""
    dice = random.Random(1)
    server = _Server()
    async with _served(server) as client:
        assert await _search(client, 10)
        for _ in range(rounds):
            server.delay_seconds = dice.uniform(0.08, 0.12)
            answered = await asyncio.gather(*(_search(client, dice.uniform(0.06, 0.14)) for _ in range(_AT_ONCE)))
            assert not all(answered), "no search ran out of time: this test tests nothing"
        server.delay_seconds = 0.0
        return [await _search(client, 10) for _ in range(3)]


@pytest.mark.timeout(60)
def test_after_hundreds_of_searches_that_ran_out_of_time_the_next_one_is_answered() -> None:
    assert asyncio.run(_run_out_of_time(_ROUNDS)) == [True] * 3
