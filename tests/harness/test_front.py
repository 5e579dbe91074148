"""The driver's client goes through an ingress: it asks for its name, trusts its authority, and nobody else's."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.reach import HOST, front

from taskhub_local.authority import Authority, new_authority
from taskhub_local.faults.client import Client, Credentials, HttpCall
from taskhub_local.faults.ledger import Ledger

pytestmark = pytest.mark.asyncio

ACCOUNT = Credentials("someone@example.com", "a long enough password")
CALL = HttpCall("GET", "/anything")


@contextmanager
def ingress(folder: Path, authority: Authority) -> Iterator[tuple[str, list[tuple[str | None, str]]]]:
    """An HTTPS server that remembers by which names it was asked: in the handshake, and in the request."""
    for name, content in authority.issue((HOST,)).items():
        (folder / name).write_text(content)
    asked: list[tuple[str | None, str]] = []
    names: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((names[-1], self.headers["Host"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - http.server's name
            """The test looks at `asked`."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_a_request_carries_the_name_of_the_ingress(tmp_path: Path) -> None:
    authority = new_authority("ours")
    with ingress(tmp_path, authority) as (url, asked), Ledger(tmp_path / "ledger.jsonl") as ledger:
        async with Client(url, ACCOUNT, ledger, front=front(authority.pem)) as client:
            assert (await client.raw(CALL)).status_code == 204
            async with client.another(Credentials("else@example.com", "a long enough password")) as other:
                assert (await other.raw(CALL)).status_code == 204
    assert asked == [(HOST, HOST)] * 2


async def test_an_ingress_signed_by_somebody_else_is_not_talked_to(tmp_path: Path) -> None:
    with ingress(tmp_path, new_authority()) as (url, asked), Ledger(tmp_path / "ledger.jsonl") as ledger:
        async with Client(url, ACCOUNT, ledger, front=front(new_authority("ours").pem)) as client:
            with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                await client.raw(CALL)
    assert asked == []
