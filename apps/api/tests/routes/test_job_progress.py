"""A job's progress as a stream: what is sent when, how it ends, and what it does while PostgreSQL is away."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import psycopg

from taskhub_core.database.migrate import upgrade
from taskhub_local.testing import wait_for

ADD = {"kind": "test.add", "args": {"numbers": [1, 2]}}


@dataclass
class Stream:
    """What a stream has sent so far, read by a thread of its own."""

    headers: httpx.Headers
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    retry: list[str] = field(default_factory=list)
    closed: bool = False

    def read(self, lines: Iterator[str]) -> None:
        name = ""
        for line in lines:
            kind, _, value = line.partition(": ")
            match kind:
                case "":
                    self.comments += [value] if value else []
                case "event":
                    name = value
                case "data":
                    self.events.append((name, orjson.loads(value)))
                case "retry":
                    self.retry.append(value)
        self.closed = True

    def states(self, name: str = "progress") -> list[str]:
        return [data["state"] for event, data in self.events if event == name]


@contextmanager
def following(client: httpx.Client, job_id: str, **headers: str) -> Iterator[Stream]:
    with client.stream("GET", f"/v1/jobs/{job_id}/progress", headers=headers) as response:
        assert response.status_code == 200
        stream = Stream(response.headers)
        thread = threading.Thread(target=_read, args=(stream, response))
        thread.start()
        try:
            yield stream
        finally:
            wait_for(lambda: stream.closed, message="the stream was not closed")
            thread.join()


def _read(stream: Stream, response: httpx.Response) -> None:
    stream.read(response.iter_lines())


def test_a_stream_tells_every_change_and_closes_after_the_end(user, worker_hand):
    job_id = user.post("/v1/jobs", json=ADD).json()["id"]
    with following(user, job_id) as stream:
        wait_for(lambda: stream.states() == ["queued"])
        fence = worker_hand.claim(job_id)
        wait_for(lambda: stream.states() == ["queued", "running"])
        worker_hand.report(fence, {"done": 5, "total": 10, "message": "half"})
        wait_for(lambda: len(stream.events) == 3)
        worker_hand.complete(fence, {"sum": 3})
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert stream.headers["Cache-Control"] == "no-cache"
    assert stream.retry == ["2000"]
    name, last = stream.events[-1]
    assert (name, last["state"], last["result"]) == ("end", "succeeded", {"sum": 3})
    assert stream.states() == ["queued", "running", "running", "succeeded"]
    assert stream.events[2][1]["progress"] == {"done": 5, "total": 10, "message": "half"}


def test_a_stream_of_a_job_that_has_ended_says_so_and_closes(user, worker_hand):
    job_id = user.post("/v1/jobs", json=ADD).json()["id"]
    worker_hand.fail(worker_hand.claim(job_id))
    with following(user, job_id, **{"Last-Event-ID": "\\x00-anything"}) as stream:
        pass
    assert [event for event, _ in stream.events] == ["progress", "end"]
    assert stream.events[-1][1]["error"]["message"] == "the test says so"


def test_a_stream_shows_that_a_cancellation_was_asked_for(user, worker_hand):
    job_id = user.post("/v1/jobs", json=ADD).json()["id"]
    fence = worker_hand.claim(job_id)
    with following(user, job_id) as stream:
        user.post(f"/v1/jobs/{job_id}/cancel")
        wait_for(lambda: any(data["cancel_requested"] for _, data in stream.events))
        worker_hand.complete(fence)


def test_a_stream_ends_when_its_job_is_deleted(user, engine):
    job_id = user.post("/v1/jobs", json=ADD).json()["id"]
    with following(user, job_id) as stream:
        wait_for(lambda: stream.events)
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM jobs WHERE id = %s", (job_id,))
    assert stream.comments[-1] == "the job no longer exists"


def test_streams_beyond_the_limit_are_turned_away_and_a_closed_one_makes_room(serve_api, client_of, worker_hand):
    running = serve_api(max_streams=1)
    client = client_of(api=running)
    job_id = client.post("/v1/jobs", json=ADD).json()["id"]
    path = f"/v1/jobs/{job_id}/progress"
    with client.stream("GET", path) as first:
        assert first.status_code == 200
        second = client.get(path)
        assert (second.status_code, second.json()["type"]) == (503, "/problems/overloaded")
        assert "Retry-After" in second.headers
    worker_hand.complete(worker_hand.claim(job_id))  # so that streams end by themselves
    wait_for(lambda: client.get(path).status_code == 200)


def test_streams_do_not_use_up_the_places_of_other_requests(serve_api, client_of):
    running = serve_api(max_requests_in_progress=1)
    client = client_of(api=running)
    job_id = client.post("/v1/jobs", json=ADD).json()["id"]
    with client.stream("GET", f"/v1/jobs/{job_id}/progress"):
        assert client.get(f"/v1/jobs/{job_id}").status_code == 200


def test_a_stream_ends_when_the_server_drains(serve_api, client_of):
    running = serve_api()
    client = client_of(api=running)
    job_id = client.post("/v1/jobs", json=ADD).json()["id"]
    with following(client, job_id) as stream:
        wait_for(lambda: stream.events)
        running.app.state.draining = True
    assert stream.states("end") == []
    assert "shuts down" in stream.comments[-1]


def test_a_stream_ends_when_its_token_would_have_expired(serve_api, client_of):
    running = serve_api(access_token_seconds=1)
    client = client_of(api=running)
    job_id = client.post("/v1/jobs", json=ADD).json()["id"]
    with following(client, job_id) as stream:
        pass
    assert "fresh access token" in stream.comments[-1]


def test_a_stream_outlives_a_frozen_postgresql_and_says_so(own_postgres, serve_api, client_of, frozen):
    upgrade(own_postgres.url)
    running = serve_api(database_url=own_postgres.url)
    with psycopg.connect(own_postgres.url, autocommit=True) as session:
        account_id = _account(session)
        client = client_of(account_id, api=running)
        job_id = client.post("/v1/jobs", json=ADD).json()["id"]
        with following(client, job_id) as stream:
            wait_for(lambda: stream.events)
            with frozen(own_postgres):
                wait_for(lambda: stream.comments)
            session.execute("UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE id = %s", (job_id,))
    assert "PostgreSQL does not answer" in stream.comments[0]
    assert stream.events[-1][0] == "end"


def _account(session: psycopg.Connection[Any]) -> Any:
    row = session.execute(
        "INSERT INTO accounts (id, email, password_hash) VALUES (gen_random_uuid(), 'a@example.org', '-') RETURNING id"
    ).fetchone()
    assert row is not None
    return row[0]
