"""A TCP proxy that a test puts before a server, and that fails as told while the server itself is well.

It is how SQS goes away without losing messages (moto keeps them in memory, so killing it would lose them as the real
service never does), and how a connection is cut in the middle of a COMMIT. Before several servers it is the load
balancer: a new connection goes to the next one that takes it.
"""

import asyncio
import itertools
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

from taskhub_local.ports import HOST, any_free

_CHUNK_BYTES = 65_536
_COMMIT = b"COMMIT"


class Mode(StrEnum):
    """What the proxy does."""

    PASS = "pass"  # noqa: S105 - not a password
    REFUSE = "refuse"
    """Nothing listens: connections are refused, and open ones were cut."""
    FREEZE = "freeze"
    """Connections are taken, and nothing moves on them."""
    CUT_COMMITS = "cut commits"
    """Every few COMMITs the connection is cut: in turn before the server has it, and after it has answered."""


class Proxy:
    """Listens on a port of its own and passes everything on to another one, in a thread of its own."""

    def __init__(self, target_port: int, *, commits_between_cuts: int = 20) -> None:
        """`target_port` is on loopback; it need not listen yet."""
        self.port = any_free()
        self.commits_cut = 0
        self.targets: tuple[int, ...] = (target_port,)
        """Ports that take connections in turn. May be replaced at any time."""
        self._turn = 0
        self._commits_between_cuts = commits_between_cuts
        self._commits = 0
        self._mode = Mode.PASS
        self._moving = asyncio.Event()
        self._moving.set()
        self._sides = itertools.cycle(("before", "after"))
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{target_port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """As an HTTP endpoint."""
        return f"http://{HOST}:{self.port}"

    @property
    def mode(self) -> Mode:
        """What it does now."""
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Do that from now on. Returns once it is so."""
        self._call(self._change(mode))

    def unanswered(self, target_port: int, since: float) -> int:
        """Return how many requests that server was sent after `since` (`time.monotonic()`) and has not answered yet."""
        return self._call(self._unanswered(target_port, since))

    def _call[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=10)

    async def _unanswered(self, target_port: int, since: float) -> int:
        asked = [open_.asked_at for open_ in self._connections if open_.port == target_port]
        return sum(at is not None and at > since for at in asked)

    async def _change(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.REFUSE:
            await self._close()
        elif self._server is None:
            await self._listen()
        if mode is Mode.FREEZE:
            self._moving.clear()
        else:
            self._moving.set()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            upstream = await self._connect()
            if upstream is None:
                return
            port, upstream_reader, upstream_writer = upstream
            connection = _Connection(self, port, writer, upstream_writer)
            self._connections.add(connection)
            self._writers.add(upstream_writer)
            try:
                await asyncio.gather(connection.requests(reader), connection.answers(upstream_reader))
            finally:
                self._connections.discard(connection)
                self._writers.discard(upstream_writer)
                upstream_writer.transport.abort()
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _connect(self) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter] | None:
        targets = self.targets
        turn = self._turn = self._turn + 1  # its own: others begin theirs while this one tries
        for number in range(len(targets)):
            port = targets[(turn + number) % len(targets)]
            with suppress(OSError):
                return port, *await asyncio.open_connection(HOST, port)
        return None

    async def moved(self) -> None:
        """Wait while the proxy is frozen."""
        await self._moving.wait()

    def next_cut(self, chunk: bytes) -> str | None:
        """Count a COMMIT, and say on which side of it to cut, if this is one to cut at."""
        if self._mode is not Mode.CUT_COMMITS or _COMMIT not in chunk:
            return None
        self._commits += 1
        if self._commits % self._commits_between_cuts:
            return None
        self.commits_cut += 1
        return next(self._sides)


class _Connection:
    """Both directions of one connection."""

    def __init__(self, proxy: Proxy, port: int, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.port = port
        self.asked_at: float | None = None
        """When the server was last sent something that it has not begun to answer."""
        self._proxy = proxy
        self._client = client
        self._server = server
        self._cut_at_answer = False

    async def requests(self, reader: asyncio.StreamReader) -> None:
        """From the client to the server."""
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._proxy.moved()
                side = self._proxy.next_cut(chunk)
                if side == "before":
                    break
                self._cut_at_answer = side == "after"
                self.asked_at = time.monotonic()
                self._server.write(chunk)
                await self._server.drain()
        self._cut()

    async def answers(self, reader: asyncio.StreamReader) -> None:
        """From the server to the client."""
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                self.asked_at = None
                await self._proxy.moved()
                if self._cut_at_answer:
                    break
                self._client.write(chunk)
                await self._client.drain()
        self._cut()

    def _cut(self) -> None:
        self._client.transport.abort()
        self._server.transport.abort()
