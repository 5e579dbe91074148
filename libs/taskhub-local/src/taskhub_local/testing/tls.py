"""TLS in front of a server that has none: a private CA, and a port that decrypts."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from taskhub_local.authority import new_authority


class LocalhostTrust:
    """A new authority in files: its certificate (`ca`), and `localhost`'s with its key (`server`)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        authority = new_authority("private")
        issued = authority.issue(("localhost",))
        self.ca = folder / "ca.crt"
        self.ca.write_text(authority.pem)
        self.server = folder / "server.pem"
        self.server.write_text(issued["tls.key"] + issued["tls.crt"])


@contextmanager
def tls_before(url: str, trust: LocalhostTrust) -> Iterator[int]:
    """Yield a port of `localhost` that speaks TLS by the authority, and leads to the URL's server."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(trust.server)
    target = urlsplit(url)
    loop = asyncio.new_event_loop()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(copy(reader, requests), copy(answers, writer))

    server = loop.run_until_complete(asyncio.start_server(forward, "localhost", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
