"""The proxy fails as told, and only then."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from socketserver import StreamRequestHandler, ThreadingTCPServer

import psycopg
import pytest

from taskhub_local.faults.proxy import Mode, Proxy
from taskhub_local.parts.postgres import PostgresPart
from taskhub_local.ports import any_free
from taskhub_local.testing import wait_for


class Echo(StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            self.wfile.write(line)


class Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 100


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Server(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Proxy(server.server_address[1]) as running:
            yield running
        server.shutdown()


def ask(connection: socket.socket, text: bytes = b"hello\n") -> bytes:
    connection.sendall(text)
    return connection.recv(100)


def ask_cut(connection: socket.socket) -> bytes:
    try:
        return ask(connection)
    except ConnectionError:
        return b""


def connect(proxy: Proxy, *, patience_seconds: float = 0.5) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=patience_seconds)


def test_everything_passes(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        assert ask(connection) == b"hello\n"


def test_a_frozen_proxy_takes_connections_and_moves_nothing_until_it_thaws(proxy: Proxy) -> None:
    with connect(proxy) as old:
        assert ask(old) == b"hello\n"
        proxy.set_mode(Mode.FREEZE)
        with connect(proxy) as new, pytest.raises(TimeoutError):
            ask(new)
        with pytest.raises(TimeoutError):
            ask(old)
        proxy.set_mode(Mode.PASS)
        assert old.recv(100) == b"hello\n"


def test_a_refusing_proxy_cuts_and_refuses_until_it_is_back(proxy: Proxy) -> None:
    with connect(proxy) as old:
        assert ask(old) == b"hello\n"
        proxy.set_mode(Mode.REFUSE)
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        assert ask_cut(old) == b""
    proxy.set_mode(Mode.PASS)
    with connect(proxy) as connection:
        assert ask(connection) == b"hello\n"


def test_commits_are_cut_in_turn_before_and_after_the_server_has_them(postgres_server: PostgresPart) -> None:
    url = postgres_server.create_database("proxied")
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE TABLE kept (n int)")
    with Proxy(postgres_server.port, commits_between_cuts=1) as proxy:
        proxy.set_mode(Mode.CUT_COMMITS)
        through = url.replace(str(postgres_server.port), str(proxy.port))
        for number in range(4):
            session = psycopg.connect(through, connect_timeout=5)
            session.execute("INSERT INTO kept VALUES (%s)", [number])
            with pytest.raises(psycopg.OperationalError):
                session.commit()
            session.close()
        assert proxy.commits_cut == 4
    with psycopg.connect(url) as session:
        assert session.execute("SELECT n FROM kept ORDER BY n").fetchall() == [(1,), (3,)]
    postgres_server.drop_database("proxied")


def test_before_several_servers_it_takes_turns_and_passes_over_one_that_is_down(proxy: Proxy) -> None:
    proxy.targets = (*proxy.targets, any_free())
    for _ in range(4):
        with connect(proxy) as connection:
            assert ask(connection) == b"hello\n"


def test_connections_that_come_at_once_all_pass_over_a_server_that_is_down(proxy: Proxy) -> None:
    proxy.targets = (*proxy.targets, any_free())

    def answer(_: int) -> bytes:
        with connect(proxy, patience_seconds=30) as connection:
            return ask_cut(connection)

    with ThreadPoolExecutor(16) as clients:
        assert Counter(clients.map(answer, range(400))) == {b"hello\n": 400}


def test_it_tells_how_many_requests_a_server_has_still_to_answer(proxy: Proxy) -> None:
    port, began = proxy.targets[0], time.monotonic()
    with connect(proxy) as first, connect(proxy) as second:
        assert ask(second) == b"hello\n"
        assert proxy.unanswered(port, began) == 0
        first.sendall(b"half a ")  # the server answers whole lines
        wait_for(lambda: proxy.unanswered(port, began) == 1, message="the request was not seen")
        assert proxy.unanswered(port + 1, began) == 0
        assert proxy.unanswered(port, time.monotonic()) == 0
        assert ask(first, b"line\n") == b"half a line\n"
        assert proxy.unanswered(port, began) == 0
        first.sendall(b"half a ")
        wait_for(lambda: proxy.unanswered(port, began) == 1, message="the request was not seen")
    wait_for(lambda: proxy.unanswered(port, began) == 0, message="a connection that is gone still counts")
