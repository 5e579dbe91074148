"""The webhook receiver: takes every delivery, and remembers the id and the event of each."""

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from taskhub_local.faults.observed import Delivery
from taskhub_local.faults.priority import prefer
from taskhub_local.ports import HOST


class Receiver:
    """An HTTP server on loopback, in a thread of its own, that answers every delivery with 204."""

    def __init__(self) -> None:
        self._deliveries: list[Delivery] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True)

    @property
    def url(self) -> str:
        """Where to deliver to."""
        return f"http://{HOST}:{self._server.server_address[1]}/hook"

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Everything that arrived so far, repeats included."""
        with self._lock:
            return tuple(self._deliveries)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, delivery: Delivery) -> None:
        with self._lock:
            self._deliveries.append(delivery)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                prefer()
                super().setup()

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                take(Delivery(uuid.UUID(self.headers["TaskHub-Delivery"]), uuid.UUID(body["event_id"])))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - http.server's name
                """The ledger is the log."""

        return Handler
