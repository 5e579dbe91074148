"""More than the API can do: it says so at once, and goes on when it can."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
from prometheus_client import REGISTRY
from sqlalchemy import Engine, text

from taskhub_local.testing import wait_for


@contextmanager
def _locked(engine: Engine, task_id: str) -> Iterator[None]:
    """Makes every write to the task wait."""
    with engine.begin() as connection:
        connection.execute(text("SELECT 1 FROM tasks WHERE id = :id FOR UPDATE"), {"id": task_id})
        yield


def _waiting_writes(engine: Engine, number: int) -> bool:
    with engine.connect() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return bool(connection.execute(text(query)).scalar_one() >= number)


def _created(client: httpx.Client) -> str:
    task_id: str = client.post("/v1/tasks", json={"title": "contended"}).json()["id"]
    return task_id


def _change(client: httpx.Client, task_id: str) -> httpx.Response:
    return client.patch(f"/v1/tasks/{task_id}", json={"priority": 1}, headers={"If-Match": "*"})


def test_a_lock_that_is_not_given_up_is_503_and_nothing_was_changed(user: httpx.Client, engine: Engine) -> None:
    task_id = _created(user)
    with _locked(engine, task_id):
        started = time.monotonic()
        answer = _change(user, task_id)
        assert time.monotonic() - started < 4
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert user.get(f"/v1/tasks/{task_id}").json()["version"] == 1


def test_when_every_connection_is_in_use_the_next_request_is_503(
    serve_api: Any, client_of: Any, engine: Engine
) -> None:
    patient = {"unit_deadline_seconds": 40, "database_lock_timeout_ms": 40_000, "database_statement_timeout_ms": 40_000}
    api = serve_api(database_pool_size=1, database_pool_wait_seconds=0.2, request_deadline_seconds=60, **patient)
    client = client_of(api=api)
    task_id = _created(client)
    with ThreadPoolExecutor(1) as threads:
        with _locked(engine, task_id):
            changing = threads.submit(_change, client, task_id)
            wait_for(lambda: _waiting_writes(engine, 1))
            # The next request has less patience than the one that holds the connection, or it might outlast it.
            api.app.state.database._deadline_seconds = 1.0
            answer = client.get("/v1/tasks")
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
            api.app.state.database._deadline_seconds = 40
        assert changing.result().status_code == 200
    assert client.get("/v1/tasks").status_code == 200


def test_past_the_limit_of_requests_at_once_the_next_is_turned_away_at_once(
    serve_api: Any, client_of: Any, engine: Engine
) -> None:
    api = serve_api(max_requests_in_progress=2)
    client = client_of(api=api)
    task_id = _created(client)
    before = REGISTRY.get_sample_value("taskhub_http_requests_shed_total", {"reason": "concurrency"}) or 0.0
    with ThreadPoolExecutor(2) as threads:
        with _locked(engine, task_id):
            changing = [threads.submit(_change, client, task_id) for _ in range(2)]
            wait_for(lambda: _waiting_writes(engine, 2))
            started = time.monotonic()
            answer = client.get("/v1/tasks")
            assert time.monotonic() - started < 1
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/overloaded")
            assert answer.headers["Retry-After"] == "1"
            assert client.get("/livez").status_code == 200
        for one in changing:
            one.result()
    assert REGISTRY.get_sample_value("taskhub_http_requests_shed_total", {"reason": "concurrency"}) == before + 1
    assert client.get("/v1/tasks").status_code == 200


def test_a_request_past_its_deadline_is_503_and_took_no_effect(
    serve_api: Any, client_of: Any, user: httpx.Client, user_id: uuid.UUID, engine: Engine
) -> None:
    client = client_of(user_id, api=serve_api(request_deadline_seconds=0.3))
    task_id = _created(user)  # by the API with the usual deadline
    with _locked(engine, task_id):
        answer = _change(client, task_id)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
        assert answer.headers["Retry-After"] == "2"
        wait_for(lambda: not _waiting_writes(engine, 1), message="the request's statement still waits")
    assert user.get(f"/v1/tasks/{task_id}").json()["version"] == 1


def test_a_body_that_never_ends_is_given_up_at_the_deadline(serve_api: Any, client_of: Any) -> None:
    api = serve_api(request_deadline_seconds=0.5)
    client = client_of(api=api)

    def dribble() -> Iterator[bytes]:
        yield b'{"title": "'
        end = time.monotonic() + 10
        while time.monotonic() < end:
            time.sleep(0.1)  # a client that is slow on purpose
            yield b"x"

    started = time.monotonic()
    try:
        answer = client.post("/v1/tasks", content=dribble(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 503
    except httpx.TransportError:
        pass  # the server closed the connection while the client was still sending
    assert time.monotonic() - started < 8
