"""The real process: what it logs, how it ends, and its probes."""

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, text

from taskhub_local.ports import any_free
from taskhub_local.testing import wait_for

MARKER = "marker-that-must-stay-secret"
COMMAND = str(Path(sys.executable).parent / "taskhub-api")


class Process:
    """A `taskhub-api serve`, and what it wrote so far."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.port, self.health_port = any_free(), any_free()
        self._output = folder / f"{uuid.uuid4().hex}.log"
        ports = {"TASKHUB_API_PORT": str(self.port), "TASKHUB_METRICS_PORT": str(self.health_port)}
        with self._output.open("wb") as output:
            self.popen = subprocess.Popen(
                [COMMAND, "serve"], env=environment | ports, stdout=output, stderr=subprocess.STDOUT
            )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20)
        self.health = httpx.Client(base_url=f"http://127.0.0.1:{self.health_port}", timeout=20)

    def output(self) -> str:
        return self._output.read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output().splitlines()]

    def is_ready(self) -> bool:
        assert self.popen.poll() is None, self.output()
        return _status(self.client, "/readyz") == 200

    def stop(self) -> None:
        self.client.close()
        self.health.close()
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()


def _status(client: httpx.Client, path: str) -> int | None:
    try:
        return client.get(path).status_code
    except httpx.TransportError:
        return None


@pytest.fixture(scope="module")
def environment(database_url: str, redis_url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TASKHUB_")}
    return kept | {
        "TASKHUB_DATABASE_URL": database_url,
        "TASKHUB_REDIS_URL": redis_url,
        "TASKHUB_SQS_ENDPOINT_URL": "http://127.0.0.1:9",
        "TASKHUB_JWT_KEYS": json.dumps({"test": f"{MARKER} key of at least 32 bytes"}),
        "TASKHUB_JWT_ACTIVE_KID": "test",
        "TASKHUB_API_HOST": "127.0.0.1",
        "TASKHUB_METRICS_HOST": "127.0.0.1",
        "TASKHUB_LOG_LEVEL": "debug",
    }


@pytest.fixture
def own_process(tmp_path: Path, environment: dict[str, str]) -> Iterator[Process]:
    """A process that the test may end."""
    process = Process(tmp_path, environment)
    wait_for(process.is_ready, deadline_seconds=60, message="the API did not start")
    yield process
    process.stop()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Process]:
    """A process that goes on."""
    process = Process(tmp_path_factory.mktemp("process"), environment)
    wait_for(process.is_ready, deadline_seconds=60, message="the API did not start")
    yield process
    process.stop()


def _secrets_of(process: Process) -> list[str]:
    """Lives through everything that has a secret in it, also the ways that fail; returns the secrets."""
    client, email, password = process.client, f"{uuid.uuid4().hex}@example.org", f"{MARKER} password"
    account = {"email": email, "password": password}
    assert client.post("/v1/accounts", json=account, headers={"Idempotency-Key": f"{MARKER}-1"}).status_code == 201
    assert client.post("/v1/accounts", json=account).status_code == 409
    assert client.post("/v1/accounts", json={"email": MARKER, "password": password}).status_code == 422
    assert client.post("/v1/accounts", content=f'{{"password": "{MARKER}').status_code == 415
    assert client.post("/v1/token", json={"email": email, "password": f"{MARKER} wrong"}).status_code == 401
    tokens = client.post("/v1/token", json=account, headers={"Idempotency-Key": f"{MARKER}-2"}).json()
    fresh = client.post("/v1/token/refresh", json={"refresh_token": tokens["refresh_token"]}).json()
    client.post("/v1/token/refresh", json={"refresh_token": tokens["refresh_token"]})
    client.post("/v1/token/revoke", json={"refresh_token": fresh["refresh_token"]})
    headers = {"Authorization": f"Bearer {fresh['access_token']}", "Idempotency-Key": f"{MARKER}-3"}
    task = {"title": f"{MARKER} title", "notes": f"{MARKER} notes", "tags": ["marker"], "external_id": MARKER}
    created = client.post("/v1/tasks", json=task, headers=headers)
    assert created.status_code == 201
    headers |= {"If-Match": created.headers["ETag"]}
    assert client.get(f"/v1/tasks?tag={MARKER}&cursor={MARKER}", headers=headers).status_code == 422
    assert client.get(f"/v1/search?q={MARKER}", headers=headers).status_code == 200
    del headers["Idempotency-Key"]
    assert client.patch(f"/v1/tasks/{created.json()['id']}", json={"title": MARKER}, headers=headers).status_code == 200
    client.get("/v1/me", headers={"Authorization": f"Bearer {MARKER}"})
    parts = [part for each in (tokens, fresh) for name in ("access_token", "refresh_token") for part in [each[name]]]
    return [MARKER, *parts, *(part.rpartition(".")[2] for part in parts)]


def test_no_secret_and_no_body_reaches_the_log_or_the_database(process: Process, engine: Engine) -> None:
    secrets = _secrets_of(process)
    process.client.get("/v1/tasks", headers={"X-Request-Id": "the-last-request"})
    wait_for(lambda: "the-last-request" in process.output())
    output = process.output()
    assert "/v1/token/refresh" in output
    assert [secret for secret in secrets if secret in output] == []

    # The tasks' own text is there to be stored; passwords, keys and tokens are not.
    kept = [secret for secret in secrets if secret != MARKER] + [f"{MARKER} password", f"{MARKER} key"]
    dump = _everything_stored(engine)
    assert f"{MARKER} title" in dump
    assert [secret for secret in kept if secret in dump] == []


def _everything_stored(engine: Engine) -> str:
    with engine.connect() as connection:
        tables = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
        rows = [
            row
            for table in tables
            for row in connection.execute(
                text(f"SELECT (to_jsonb(t) - 'body')::text FROM \"{table}\" t")
                if table != "idempotency_keys"
                else text("SELECT to_jsonb(t)::text || convert_from(body, 'UTF8') FROM idempotency_keys t")
            ).scalars()
        ]
    return "\n".join(rows)


def test_every_line_of_the_log_is_json_with_the_request_it_belongs_to(process: Process) -> None:
    process.client.get("/v1/tasks", headers={"X-Request-Id": "a-known-request"})
    wait_for(lambda: "a-known-request" in process.output())
    (line,) = [line for line in process.lines() if line.get("request_id") == "a-known-request"]
    assert (line["event"], line["method"], line["route"], line["status"]) == ("request", "GET", "/v1/tasks", 401)
    assert line["service"] == "taskhub-api"


def test_at_sigterm_a_request_in_progress_ends_well_and_the_process_too(own_process: Process, engine: Engine) -> None:
    process = own_process
    account = {"email": f"{uuid.uuid4().hex}@example.org", "password": "a long enough password"}
    assert process.client.post("/v1/accounts", json=account).status_code == 201
    token = process.client.post("/v1/token", json=account).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "If-Match": "*"}
    task = process.client.post("/v1/tasks", json={"title": "a"}, headers=headers).json()

    with ThreadPoolExecutor(1) as threads:
        with engine.begin() as connection:  # holds the request up
            connection.execute(text("SELECT 1 FROM tasks WHERE id = :id FOR UPDATE"), {"id": task["id"]})
            changing = threads.submit(
                process.client.patch, f"/v1/tasks/{task['id']}", json={"title": "b"}, headers=headers
            )
            wait_for(lambda: _someone_waits_for_a_lock(engine))
            process.popen.send_signal(signal.SIGTERM)
            wait_for(
                lambda: _status(process.health, "/readyz") == 503, message="readiness did not turn to no while draining"
            )
            assert _status(process.health, "/livez") == 200
        assert changing.result().status_code == 200
    assert process.popen.wait(timeout=30) == 0


def _someone_waits_for_a_lock(engine: Engine) -> bool:
    query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with engine.connect() as connection:
        return connection.execute(text(query)).first() is not None


def test_a_second_process_on_the_same_port_says_so_and_ends(process: Process, environment: dict[str, str]) -> None:
    taken = environment | {"TASKHUB_API_PORT": str(process.port), "TASKHUB_METRICS_PORT": "0"}
    second = subprocess.run([COMMAND, "serve"], env=taken, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode != 0
    assert "address already in use" in second.stdout + second.stderr
    assert process.is_ready()


def test_metrics_and_probes_are_on_a_port_of_their_own(process: Process) -> None:
    process.client.get("/v1/tasks")
    wait_for(lambda: "taskhub_event_loop_lag_seconds_count" in process.health.get("/metrics").text)
    metrics = process.health.get("/metrics").text
    assert re.search(r'taskhub_http_requests_total\{method="GET",route="/v1/tasks",status="401"\} [1-9]', metrics)
    assert [_status(process.health, path) for path in ("/livez", "/readyz", "/startupz")] == [200, 200, 200]
    assert process.client.get("/metrics").status_code == 404


def test_labels_of_metrics_are_templates_of_routes_and_never_ids(process: Process) -> None:
    paths = process.client.get("/openapi.json").json()["paths"]
    for number in range(3):
        unknown = [f"/v1/nothing/{uuid.uuid4()}", f"/{uuid.uuid4()}?page={number}"]
        for path in [*(re.sub(r"\{\w+\}", lambda _: str(uuid.uuid4()), path) for path in paths), *unknown]:
            for method in ("GET", "POST", "PATCH", "PUT", "DELETE", f"X{number}"):
                process.client.request(method, path, params={"cursor": str(uuid.uuid4())})
    families = list(text_string_to_metric_families(process.health.get("/metrics").text))
    labels = [sample.labels for family in families for sample in family.samples if family.name.startswith("taskhub_")]
    routes = {one["route"] for one in labels if "route" in one}
    assert len(routes) > 20
    assert routes <= {*paths, "unmatched"}
    assert {one["method"] for one in labels if "method" in one} <= {*["GET", "POST", "PATCH", "PUT", "DELETE"], "other"}
    ids = [value for one in labels for value in one.values() if re.search(r"[0-9a-f]{8}|@|\?", value)]
    assert not ids
