"""The small HTTP server beside every process: /metrics, and the probes of processes that serve no HTTP."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest


class Check(Protocol):
    """A probe: returns None when well, else one sentence that says what is not."""

    def __call__(self) -> str | None:
        """Looks, without asking any dependency (rule 11 of the design)."""
        ...


class ProgressStamp:
    """A stamp that a loop touches each time round; liveness is that the stamp is young."""

    def __init__(self, loop: str, *, max_age_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = loop
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._touched = clock()

    def touch(self) -> None:
        """The loop came round."""
        self._touched = self._clock()

    def check(self) -> str | None:
        """Says how old the stamp is, once it is too old."""
        age = self._clock() - self._touched
        return None if age <= self._max_age_seconds else f"the {self._loop} loop made no progress for {age:.0f} s"


def _always_well() -> str | None:
    return None


class HealthServer:
    """Serves /metrics, /livez, /readyz and /startupz from a thread of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        live: Check = _always_well,
        ready: Check = _always_well,
        registry: CollectorRegistry = REGISTRY,
        before_scrape: Callable[[], None] = lambda: None,
    ) -> None:
        checks = {"/livez": live, "/readyz": ready, "/startupz": ready}

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    before_scrape()
                    self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
                elif path in checks:
                    problem = checks[path]()
                    self._answer(
                        503 if problem else 200, (problem or "ok").encode() + b"\n", "text/plain; charset=utf-8"
                    )
                else:
                    self._answer(
                        404, b"Here are /metrics, /livez, /readyz and /startupz.\n", "text/plain; charset=utf-8"
                    )

            def _answer(self, status: int, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Probes and scrapes are not worth a log line."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health-server", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on (the one the system chose, if 0 was asked for)."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stops serving and frees the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
