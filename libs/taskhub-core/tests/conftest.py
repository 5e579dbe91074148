"""What the tests of several features need: an engine on the migrated database, accounts, and an HTTP receiver."""

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import Engine, text

from taskhub_core.database.engine import make_engine
from taskhub_core.ids import new_id
from taskhub_core.jobs.registry import registry
from taskhub_core.settings import DatabaseSettings
from taskhub_local.testing.tls import LocalhostTrust


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    registry.load()
    engine = make_engine(DatabaseSettings(database_url=database_url), application_name="test-core")
    yield engine
    engine.dispose()


@pytest.fixture
def make_account(engine: Engine, clean_database: str) -> Callable[..., uuid.UUID]:
    def make(email: str | None = None) -> uuid.UUID:
        account_id = new_id()
        with engine.begin() as connection:
            connection.execute(
                text("INSERT INTO accounts (id, email, password_hash) VALUES (:id, :email, 'x')"),
                {"id": account_id, "email": email or f"{account_id}@example.com"},
            )
        return account_id

    return make


@pytest.fixture
def account_id(make_account: Callable[..., uuid.UUID]) -> uuid.UUID:
    return make_account("reader@example.com")


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A real HTTP server that keeps what it gets and answers as it is told."""

    server: ThreadingHTTPServer
    requests: list[Received] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    behave: Callable[[BaseHTTPRequestHandler], None] | None = None
    """Answers in the place of status and headers."""
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=in-the-url"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append(Received(self.path, dict(self.headers), body))
            if receiver.behave is not None:
                receiver.behave(self)
                return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"thanks" * 100)

        do_GET = do_POST  # noqa: N815 - a redirect that was followed would come as this

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = False

        def handle_error(self, *_: Any) -> None:
            """A client that hangs up is what some tests are about."""

    receiver = Receiver(Server(("127.0.0.1", 0), Handler))
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield receiver
    receiver.stopped.set()
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> LocalhostTrust:
    """A private CA, with a certificate of `localhost` that it has signed."""
    return LocalhostTrust(tmp_path_factory.mktemp("tls") / "own")
