"""The sink of test clusters: what it answered with success it still has after a kill, and it mixes nothing up."""

import json
import signal
import smtplib
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from taskhub_local.ports import HOST, any_free
from taskhub_local.testing import wait_for

type Start = Callable[[], tuple[subprocess.Popen[bytes], httpx.Client, int]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    processes: list[subprocess.Popen[bytes]] = []
    clients: list[httpx.Client] = []

    def launch() -> tuple[subprocess.Popen[bytes], httpx.Client, int]:
        smtp, http = any_free(), any_free()
        ports = ["--host", HOST, "--smtp-port", str(smtp), "--http-port", str(http)]
        process = subprocess.Popen([sys.executable, "-m", "taskhub_local.sink", *ports, "--folder", str(tmp_path)])
        processes.append(process)
        client = httpx.Client(base_url=f"http://{HOST}:{http}", trust_env=False)
        clients.append(client)

        def alive() -> bool:
            try:
                return client.get("/livez").is_success
            except httpx.TransportError:
                return False

        wait_for(alive, deadline_seconds=30, message="the sink answers")
        return process, client, smtp

    yield launch
    for client in clients:
        client.close()
    for process in processes:
        process.kill()
        process.wait()


def _deliver(client: httpx.Client, hook: str) -> tuple[str, str]:
    delivery_id, event_id = str(uuid.uuid4()), str(uuid.uuid4())
    headers = {"TaskHub-Delivery": delivery_id, "TaskHub-Signature": "t=1,v1=00"}
    answer = client.post(f"/hooks/{hook}", json={"event_id": event_id}, headers=headers)
    assert answer.status_code == 204
    return delivery_id, event_id


def _deliveries(client: httpx.Client, hook: str) -> list[tuple[str, str]]:
    found = client.get(f"/hooks/{hook}").raise_for_status().json()["deliveries"]
    return [(delivery["delivery_id"], delivery["event_id"]) for delivery in found]


def _mail(port: int, to: str) -> str:
    message = EmailMessage()
    message["Message-ID"] = f"<{uuid.uuid4()}@taskhub>"
    message["To"] = to
    message["From"] = "tests@example.com"
    with smtplib.SMTP(HOST, port, timeout=10) as client:
        client.send_message(message)
    return str(message["Message-ID"])


def _mails(client: httpx.Client, recipient: str) -> list[str]:
    found = client.get("/mails", params={"recipient": recipient}).raise_for_status().json()["mails"]
    return [mail["message_id"] for mail in found]


def test_what_was_answered_with_success_is_there_after_a_kill(start: Start, tmp_path: Path) -> None:
    process, client, smtp = start()
    delivered = [_deliver(client, "case") for _ in range(3)]
    mailed = [_mail(smtp, "ada@example.com") for _ in range(3)]
    process.kill()
    process.wait()
    # What a kill in the middle of a write leaves behind.
    with (tmp_path / "deliveries.jsonl").open("ab") as file:
        file.write(b'{"hook":"case","deliv')
    _, client, smtp = start()
    delivered.append(_deliver(client, "case"))
    assert _deliveries(client, "case") == delivered
    assert _mails(client, "ada@example.com") == mailed


def test_repeats_and_others_deliveries_and_mails_are_told_apart(start: Start) -> None:
    _, client, smtp = start()
    mine = _deliver(client, "mine")
    _deliver(client, "others")
    headers = {"TaskHub-Delivery": mine[0], "TaskHub-Signature": ""}
    client.post("/hooks/mine", json={"event_id": mine[1]}, headers=headers)
    assert _deliveries(client, "mine") == [mine, mine]
    mail = _mail(smtp, "ada@example.com")
    _mail(smtp, "grace@example.com")
    assert _mails(client, "ada@example.com") == [mail]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"event_id": 5}', json.dumps({"event_id": "x"}).encode()])
def test_what_is_no_delivery_is_refused_and_not_kept(start: Start, body: bytes) -> None:
    _, client, _ = start()
    answer = client.post("/hooks/case", content=body, headers={"TaskHub-Delivery": str(uuid.uuid4())})
    assert answer.status_code == 400
    assert _deliveries(client, "case") == []


def test_clearing_forgets_everything_and_later_arrivals_are_kept(start: Start) -> None:
    _, client, smtp = start()
    _deliver(client, "case")
    _mail(smtp, "ada@example.com")
    assert client.delete("/hooks").status_code == 204
    assert client.delete("/mails").status_code == 204
    later = _deliver(client, "case")
    assert _deliveries(client, "case") == [later]
    assert _mails(client, "ada@example.com") == []


def test_it_ends_in_order_when_it_is_told_to(start: Start) -> None:
    process, client, _ = start()
    _deliver(client, "case")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


def _logs(*lines: str) -> dict[str, object]:
    records = [{"body": {"stringValue": line}, "attributes": []} for line in lines]
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": records}]}]}


def _trace(trace_id: str, service: str, name: str) -> dict[str, object]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    spans = [{"traceId": trace_id, "spanId": "00f067aa0ba902b7", "name": name}]
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": spans}]}]}


def test_log_lines_are_found_by_what_is_in_them(start: Start) -> None:
    _, client, _ = start()
    for lines in (["first wanted", "other"], ["second wanted"]):
        assert client.post("/v1/logs", json=_logs(*lines)).json() == {}
    found = client.get("/logs", params={"contains": "wanted"}).raise_for_status().json()
    assert found == {"lines": ["first wanted", "second wanted"]}


def test_spans_are_found_by_their_trace(start: Start) -> None:
    _, client, _ = start()
    mine, others = uuid.uuid4().hex, uuid.uuid4().hex
    for body in (_trace(mine, "api", "POST"), _trace(others, "api", "GET"), _trace(mine.upper(), "worker", "job")):
        assert client.post("/v1/traces", json=body).json() == {}
    found = client.get("/spans", params={"trace_id": mine}).raise_for_status().json()["spans"]
    assert [(span["service"], span["name"]) for span in found] == [("api", "POST"), ("worker", "job")]


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/traces"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"resourceLogs": 5}', b'{"resourceSpans": [{}]}', b"\x0a\x00"])
def test_what_is_no_otlp_in_json_is_refused_and_not_kept(start: Start, path: str, body: bytes) -> None:
    _, client, _ = start()
    assert client.post(path, content=body).status_code == 400
    assert client.get("/logs", params={"contains": ""}).json() == {"lines": []}
