"""A webhook receiver on loopback: takes deliveries and checks their signatures, as a subscriber should."""

import hashlib
import hmac
import queue
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from taskhub_local.ports import HOST

_MAX_AGE_SECONDS = 300


@dataclass(frozen=True)
class Delivery:
    """One request that arrived, unread until it is verified."""

    signature: str
    body: bytes

    def verified(self, secret: str) -> bool:
        """Whether the signature was made with the secret, over this body, within the last five minutes."""
        fields = dict(part.partition("=")[::2] for part in self.signature.split(","))
        sent_at = fields.get("t", "")
        if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > _MAX_AGE_SECONDS:
            return False
        expected = hmac.new(secret.encode(), f"{sent_at}.".encode() + self.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected, fields.get("v1", ""))


class Receiver:
    """Listens while entered."""

    def __init__(self) -> None:
        deliveries: queue.Queue[Delivery] = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                deliveries.put(Delivery(self.headers.get("TaskHub-Signature", ""), body))
                self.send_response(HTTPStatus.NO_CONTENT)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
                """Say nothing: the demo shows what arrived."""

        self._deliveries = deliveries
        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="webhook-receiver", daemon=True)

    @property
    def url(self) -> str:
        """Where to deliver to."""
        return f"http://{HOST}:{self._server.server_port}/taskhub"

    def next(self, timeout_seconds: float) -> Delivery | None:
        """Return the next delivery, or None if none came in time."""
        try:
            return self._deliveries.get(timeout=timeout_seconds)
        except queue.Empty:
            return None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
