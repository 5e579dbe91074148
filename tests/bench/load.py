"""A small closed-loop HTTP client: a number of connections, each sending its next request when the answer is there."""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answers:
    """What a run of requests gave."""

    count: int
    seconds: float
    p50_ms: float
    p99_ms: float


async def _worker(port: int, request: Callable[[], bytes], until: int, counter: list[int], taken: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while counter[0] < until:
        counter[0] += 1
        started = time.perf_counter()
        writer.write(request())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(f"the server answered {head[:200]!r}")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        taken.append(time.perf_counter() - started)
    writer.close()
    await writer.wait_closed()


def run(port: int, request: Callable[[], bytes], *, count: int, connections: int) -> Answers:
    """Sends `count` requests to the loopback port. Raises RuntimeError at the first answer that is not 2xx."""

    async def all_of_it() -> Answers:
        taken: list[float] = []
        counter = [0]
        started = time.perf_counter()
        await asyncio.gather(*(_worker(port, request, count, counter, taken) for _ in range(connections)))
        seconds = time.perf_counter() - started
        quantiles = statistics.quantiles(taken, n=100)
        return Answers(len(taken), seconds, quantiles[49] * 1_000, quantiles[98] * 1_000)

    return asyncio.run(all_of_it())


def http(method: str, path: str, *, token: str, body: bytes = b"", extra: str = "") -> bytes:
    """A request as it goes over the wire."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n{extra}"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body
