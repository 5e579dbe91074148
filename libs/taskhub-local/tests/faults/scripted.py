"""An HTTP server that misbehaves as told: one entry of its script for each request, then 201 for ever."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CUT = "cut"
"""Read the request, then close the connection without an answer."""
HANG = "hang"
"""Read the request, and never answer."""

TASK_ID = "00000000-0000-0000-0000-000000000001"


@dataclass
class Scripted:
    """What to do, and what came in."""

    script: list[str | tuple[int, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    url: str = ""


@asynccontextmanager
async def scripted_server(*script: str | tuple[int, str]) -> AsyncIterator[Scripted]:
    """Serve on loopback inside the block. A tuple is a status and a problem's slug."""
    scripted = Scripted(list(script))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                headers = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:-2])
                await reader.readexactly(int(headers.get("content-length", 0)))
                if b"/v1/token" in head:
                    _answer(writer, 200, {"access_token": "token"})
                    continue
                scripted.keys.append(headers.get("idempotency-key", ""))
                step = scripted.script.pop(0) if scripted.script else (201, "")
                if step == HANG:
                    await asyncio.sleep(3600)
                if step == CUT:
                    return
                assert isinstance(step, tuple)
                ok = step[0] < 300
                _answer(writer, step[0], {"id": TASK_ID, "version": 1} if ok else {"type": f"/problems/{step[1]}"})
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    scripted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scripted
    finally:
        server.close()


def _answer(writer: asyncio.StreamWriter, status: int, body: dict[str, object]) -> None:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
