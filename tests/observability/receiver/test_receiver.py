"""A page arrives with its links, its end arrives too, and silence is loud."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import yaml
from observability.receiver import Receiver, Switch

from taskhub_local.ports import any_free
from taskhub_local.testing import wait_for
from tests.observability.rules.programs import alertmanager_program
from tests.observability.rules.reading import ROOT, alerts

CONFIG = ROOT / "observability" / "alertmanager" / "alertmanager.yaml"

type Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts receivers as the programs that they are; they end with the test."""
    with ExitStack() as ends:

        def start(*options: str) -> httpx.Client:
            port = any_free()
            command = [sys.executable, str(ROOT / "observability" / "receiver.py"), f"--port={port}", *options]
            output = ends.enter_context((tmp_path / "receiver.log").open("wb"))
            _run(ends, command, output)
            client = ends.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10))
            wait_for(lambda: _answers(client, "/livez"), deadline_seconds=30, message="no receiver")
            return client

        yield start


def _run(ends: ExitStack, command: list[str], output: Any) -> subprocess.Popen[bytes]:
    running = subprocess.Popen(command, stdout=output, stderr=output)
    ends.callback(lambda: running.wait(20))
    ends.callback(running.terminate)
    return running


def _answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    """What ends with the test."""
    with ExitStack() as stack:
        yield stack


def _alertmanager(
    ends: ExitStack, folder: Path, receiver: httpx.Client
) -> tuple[httpx.Client, subprocess.Popen[bytes]]:
    """A real Alertmanager with our configuration, in haste: what takes minutes takes a second."""
    text = CONFIG.read_text().replace("http://alert-receiver:8080", str(receiver.base_url).rstrip("/"))
    config = yaml.safe_load(text)
    for route in (config["route"], *config["route"]["routes"]):
        route.update({name: "1s" for name in ("group_wait", "group_interval", "repeat_interval") if name in route})
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{any_free()}"
    command = [
        alertmanager_program(),
        f"--config.file={folder / 'alertmanager.yaml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    running = _run(ends, command, ends.enter_context((folder / "alertmanager.log").open("wb")))
    client = ends.enter_context(httpx.Client(base_url=f"http://{address}", timeout=10))
    wait_for(lambda: _answers(client, "/-/ready"), deadline_seconds=30, message=f"it did not start, see {folder}")
    return client, running


def _fire(client: httpx.Client, name: str, *, seconds: float = 600) -> None:
    rule = next(alert.rule for alert in alerts() if alert.name == name)
    now = datetime.now(UTC)
    alert = {
        "labels": {"alertname": name, **rule["labels"]},
        "annotations": rule["annotations"],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(seconds=seconds)).isoformat(),
    }
    client.post("/api/v2/alerts", json=[alert]).raise_for_status()


def _received(receiver: httpx.Client, path: str) -> list[tuple[str, str]]:
    return [(one["alertname"], one["status"]) for one in receiver.get(path).json()["alerts"]]


def test_a_page_arrives_with_its_links_and_so_does_its_end(serve: Serve, ends: ExitStack, tmp_path: Path) -> None:
    receiver = serve()
    alertmanager, _ = _alertmanager(ends, tmp_path, receiver)
    _fire(alertmanager, "ApiDown", seconds=3)
    _fire(alertmanager, "ApiSlow")
    wait_for(lambda: ("ApiDown", "firing") in _received(receiver, "/pages"), deadline_seconds=30)
    page = receiver.get("/pages").json()["alerts"][0]
    runbook = page["annotations"]["runbook_url"].removeprefix("https://taskhub.example.com/")
    assert (ROOT / "observability" / runbook).is_file()
    assert page["annotations"]["dashboard_url"].endswith("/taskhub-api")
    wait_for(lambda: ("ApiDown", "resolved") in _received(receiver, "/pages"), deadline_seconds=30)
    wait_for(lambda: ("ApiSlow", "firing") in _received(receiver, "/tickets"), deadline_seconds=30)
    assert {name for name, _ in _received(receiver, "/pages")} == {"ApiDown"}


def test_the_switch_goes_off_when_alertmanager_dies(serve: Serve, ends: ExitStack, tmp_path: Path) -> None:
    with _listener() as (url, told):
        receiver = serve("--silent-after=8", f"--alarm-url={url}")
        alertmanager, process = _alertmanager(ends, tmp_path, receiver)
        _fire(alertmanager, "Watchdog")
        wait_for(lambda: receiver.get("/watchdog").json()["silent_seconds"] < 1, deadline_seconds=30)
        process.kill()
        wait_for(lambda: receiver.get("/watchdog").json()["alarming"], deadline_seconds=60, message="no alarm")
        wait_for(lambda: [one["alarming"] for one in told] == [True], message="nobody was told")
        receiver.post("/watchdog", json={})
        wait_for(lambda: [one["alarming"] for one in told] == [True, False], message="its end was not told")
        assert not receiver.get("/watchdog").json()["alarming"]


def test_a_watchdog_that_never_came_is_missed_too() -> None:
    now = [0.0]
    switch = Switch(100, clock=lambda: now[0])
    now[0] = 99
    assert not switch.look()
    now[0] = 101
    assert switch.look()
    assert switch.alarming
    assert not switch.look(), "one alarm, not one a second"
    switch.hear()
    assert switch.look()
    assert not switch.alarming


def test_an_alarm_that_nobody_takes_is_told_again() -> None:
    now, lines = [0.0], list[str]()
    receiver = Receiver(Switch(1, clock=lambda: now[0]), alarm_url=f"http://127.0.0.1:{any_free()}/", out=lines.append)
    now[0] = 2
    receiver.look()
    receiver.look()
    events = [json.loads(line)["event"] for line in lines]
    assert events == ["The Watchdog is silent: nobody would be paged.", *["the alarm was not taken"] * 2]


def test_what_is_no_notification_is_refused(serve: Serve) -> None:
    receiver = serve()
    assert receiver.post("/pages", content=b"not JSON").status_code == 400
    assert receiver.post("/pages", json={"alerts": [{"status": "firing"}]}).status_code == 400
    assert receiver.post("/elsewhere", json={}).status_code == 404
    assert receiver.get("/pages").json() == {"alerts": []}


@contextmanager
def _listener() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Somebody who takes alarms: the address, and what was told there."""
    told: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
