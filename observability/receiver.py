"""Takes Alertmanager's notifications by webhook, and alarms when the Watchdog stops: the dead-man's switch.

Only the standard library, so that it runs from one file on a bare Python, apart from all that it watches.

    POST /pages, /tickets   what Alertmanager sends: remembered, and written to standard output as one line of JSON
    GET  /pages, /tickets   {"alerts": [...]}, oldest first, repeats included
    POST /watchdog          a sign of life from Prometheus by way of Alertmanager
    GET  /watchdog          {"silent_seconds": 12.3, "alarming": false}
    GET  /livez             whether it still looks at the clock
"""

import argparse
import json
import signal
import sys
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEPT = 5_000
"""Notifications of each kind that are remembered."""
LOOK_SECONDS = 1.0
LARGEST_BODY_BYTES = 4_000_000


class Switch:
    """The dead-man's switch: alarms once when nothing was heard for too long, and says once when it is over."""

    def __init__(self, silent_after_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._silent_after_seconds = silent_after_seconds
        self._clock = clock
        # Silence counts from the start, too: a Prometheus that never came is as bad as one that went.
        self._heard = self._looked = clock()
        self.alarming = False

    def hear(self) -> None:
        """A sign of life."""
        self._heard = self._clock()

    @property
    def silent_seconds(self) -> float:
        """How long nothing was heard."""
        return self._clock() - self._heard

    @property
    def unattended_seconds(self) -> float:
        """How long nobody has looked."""
        return self._clock() - self._looked

    def look(self) -> bool:
        """Whether the alarm has just begun or ended: then somebody must be told."""
        self._looked = self._clock()
        silent = self.silent_seconds > self._silent_after_seconds
        changed = silent is not self.alarming
        self.alarming = silent
        return changed


class Receiver:
    """What was received, and the switch."""

    def __init__(self, switch: Switch, *, alarm_url: str | None, out: Callable[[str], None]) -> None:
        self.switch = switch
        self.received: dict[str, deque[dict[str, Any]]] = {name: deque(maxlen=KEPT) for name in ("pages", "tickets")}
        self._alarm_url = alarm_url
        self._untold: dict[str, Any] | None = None
        self._out = out

    def take(self, name: str, notification: dict[str, Any]) -> None:
        """Remembers the alerts of one notification. Raises KeyError when it is none of Alertmanager's."""
        for alert in notification["alerts"]:
            one = {
                "received_at": datetime.now(UTC).isoformat(),
                "status": alert["status"],
                "alertname": alert["labels"]["alertname"],
                "labels": alert["labels"],
                "annotations": alert["annotations"],
                "starts_at": alert["startsAt"],
                "ends_at": alert["endsAt"],
            }
            self.received[name].append(one)
            self._log(f"{alert['status']}: {one['alertname']}", to=name, labels=alert["labels"])

    def look(self) -> None:
        """One look at the clock; tells of the alarm, again and again until somebody has taken it."""
        if self.switch.look():
            alarming = self.switch.alarming
            text = "The Watchdog is silent: nobody would be paged." if alarming else "The Watchdog is heard again."
            self._untold = {"alarming": alarming, "text": text, "silent_seconds": round(self.switch.silent_seconds, 1)}
            self._log(text, alarming=alarming)
        if self._untold is not None and self._tell(self._untold):
            self._untold = None

    def _tell(self, alarm: dict[str, Any]) -> bool:
        if self._alarm_url is None:
            return True
        request = urllib.request.Request(  # noqa: S310 - the address is the operator's own
            self._alarm_url, json.dumps(alarm).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310
                return True
        except OSError as error:
            self._log("the alarm was not taken", error=str(error))
            return False

    def _log(self, event: str, **details: Any) -> None:
        self._out(json.dumps({"time": datetime.now(UTC).isoformat(), "event": event, **details}) + "\n")


class Server(ThreadingHTTPServer):
    """The HTTP side of a receiver."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], receiver: Receiver) -> None:
        super().__init__(address, Handler)
        self.receiver = receiver


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    timeout = 10
    server: Server

    def do_POST(self) -> None:
        """Takes a notification, or a sign of life."""
        length = int(self.headers.get("Content-Length", 0))
        if length > LARGEST_BODY_BYTES:
            self._answer(413, {"error": "too large"})
            return
        self._answer(*self._take(self.path.strip("/"), self.rfile.read(length)))

    def _take(self, name: str, body: bytes) -> tuple[int, dict[str, Any]]:
        receiver = self.server.receiver
        if name == "watchdog":
            receiver.switch.hear()
            return 200, {}
        if name not in receiver.received:
            return 404, {"error": "here are /pages, /tickets and /watchdog"}
        try:
            receiver.take(name, json.loads(body))
        except (ValueError, KeyError, TypeError) as error:
            return 400, {"error": f"not a notification of Alertmanager: {error!r}"}
        return 200, {}

    def do_GET(self) -> None:
        """Tells what was received, and how the switch stands."""
        self._answer(*self._tell(self.path.strip("/")))

    def _tell(self, name: str) -> tuple[int, dict[str, Any]]:
        receiver = self.server.receiver
        switch = receiver.switch
        if name in receiver.received:
            return 200, {"alerts": list(receiver.received[name])}
        if name == "watchdog":
            return 200, {"silent_seconds": switch.silent_seconds, "alarming": switch.alarming}
        if name == "livez":
            stuck = switch.unattended_seconds > 30 * LOOK_SECONDS
            return 503 if stuck else 200, {"unattended_seconds": switch.unattended_seconds}
        return 404, {"error": "here are /pages, /tickets, /watchdog and /livez"}

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """What matters is logged where it happens."""


def main() -> int:
    """Serves until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="(%(default)s)")
    parser.add_argument("--silent-after", type=float, default=60.0, metavar="SECONDS", help="(%(default)s)")
    parser.add_argument("--alarm-url", help="gets a POST when the alarm begins and when it ends (else the log)")
    options = parser.parse_args()
    receiver = Receiver(Switch(options.silent_after), alarm_url=options.alarm_url, out=_write)
    server = Server((options.host, options.port), receiver)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    while not stopping.wait(LOOK_SECONDS):
        receiver.look()
    server.shutdown()
    return 0


def _write(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
