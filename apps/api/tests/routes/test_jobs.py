"""Jobs over HTTP: what is accepted, what repeating does, and what cancelling and retrying leave behind."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

ADD = {"kind": "test.add", "args": {"numbers": [1, 2]}}


def submit(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    """A job that the API took."""
    answer = client.post("/v1/jobs", json={**ADD, **fields})
    assert answer.status_code == 202, answer.text
    return answer.json()


def count_jobs(engine: Engine, account_id: uuid.UUID) -> int:
    with engine.connect() as connection:
        return int(
            connection.execute(
                text("SELECT count(*) FROM jobs WHERE account_id = :id"), {"id": account_id}
            ).scalar_one()
        )


def test_a_job_is_accepted_and_can_be_followed_to_its_end(user, worker_hand):
    answer = user.post("/v1/jobs", json=ADD)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["state"], job["attempts"], job["priority"], job["args"]) == ("queued", 0, 5, {"numbers": [1, 2]})

    fence = worker_hand.claim(job["id"])
    worker_hand.report(fence, {"done": 1, "total": 2, "message": None})
    running = user.get(answer.headers["Location"]).json()
    assert (running["state"], running["attempts"], running["progress"]["done"]) == ("running", 1, 1)
    assert running["started_at"] is not None

    worker_hand.complete(fence, {"sum": 3})
    ended = user.get(answer.headers["Location"]).json()
    assert (ended["state"], ended["result"], ended["error"]) == ("succeeded", {"sum": 3}, None)
    assert ended["finished_at"] is not None


def test_the_same_job_id_with_the_same_body_is_the_same_job(user, user_id, engine, worker_hand):
    job_id = str(uuid.uuid4())
    first = submit(user, job_id=job_id)
    worker_hand.complete(worker_hand.claim(job_id), {"sum": 3})
    again = submit(user, job_id=job_id)
    assert first["id"] == again["id"] == job_id
    assert again["state"] == "succeeded"  # as it is now, not as it was
    assert count_jobs(engine, user_id) == 1


def test_the_same_job_id_is_the_same_job_under_any_idempotency_key(user, user_id, engine):
    body = {**ADD, "job_id": str(uuid.uuid4())}
    answers = [
        user.post("/v1/jobs", json=body, headers=headers)
        for headers in ({}, {"Idempotency-Key": "first-" + body["job_id"]}, {"Idempotency-Key": body["job_id"]})
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert count_jobs(engine, user_id) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"args": {"numbers": [1, 3]}},
        {"kind": "test.upkeep", "args": {}},
        {"priority": 6},
        {"run_at": "2030-01-01T00:00:00Z"},
    ],
)
def test_the_same_job_id_with_another_body_is_refused(operator, other):
    job_id = str(uuid.uuid4())
    submit(operator, job_id=job_id)
    answer = operator.post("/v1/jobs", json={**ADD, "job_id": job_id, **other})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")


def test_a_job_id_of_another_account_is_refused_and_tells_nothing_of_it(user, client_of):
    job = submit(user, args={"numbers": [424_242]})
    answer = client_of().post("/v1/jobs", json={**ADD, "job_id": job["id"]})
    assert answer.status_code == 409
    assert "424242" not in answer.text


def test_a_repeated_idempotency_key_makes_one_job(user, user_id, engine):
    answers = [user.post("/v1/jobs", json=ADD, headers={"Idempotency-Key": "one-job"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert answers[1].headers["Location"] == answers[0].headers["Location"]
    assert count_jobs(engine, user_id) == 1


def test_every_route_of_another_accounts_job_answers_not_found(user, client_of, worker_hand):
    job = submit(user)
    worker_hand.fail(worker_hand.claim(job["id"]))
    stranger = client_of()
    for method, path in (
        ("GET", ""),
        ("GET", "/attempts"),
        ("GET", "/progress"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
    ):
        answer = stranger.request(method, f"/v1/jobs/{job['id']}{path}")
        assert answer.status_code == 404, path
    assert stranger.get("/v1/jobs").json()["items"] == []


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({}, "args.numbers"),
        ({"numbers": "many"}, "args.numbers"),
        ({"numbers": [1, "x"]}, "args.numbers.1"),
        ({"numbers": [2**70]}, "args.numbers.0"),
        ({"numbers": [1], "unknown": 1}, "args.unknown"),
        ({"numbers": [1], "more": {"deep": {"er": [2**64]}}}, "args.more.deep.er.0"),
        ({"numbers": [1], "more": {"deep": json.loads("[" * 40 + "]" * 40)}}, "args.more.deep" + ".0" * 31),
        ({"numbers": list(range(1_001))}, "args.numbers"),
    ],
)
def test_arguments_that_the_kind_cannot_use_are_refused_with_their_path(user, args, field):
    answer = user.post("/v1/jobs", json={"kind": "test.add", "args": args})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind":"test.add","args":{"numbers":[1],"note":"a\\u0000b"}}',
        b'{"kind":"test.add","args":{"numbers":[1],"more":{"a\\u0000b":1}}}',
        b'{"kind":"test.add","args":{"numbers":[1],"note":"\\ud800"}}',
        b'{"kind":"test.add","args":{"numbers":[1],"\\ud800":1}}',
        b'{"kind":"test.add","args":{"numbers":[1],"more":{"x":"\\ud800"}}}',
        b'{"kind":"test.add","args":{"numbers":[1],"more":' + b'{"x":' * 3_000 + b"1" + b"}" * 3_000 + b"}}",
        b'{"kind":"test.add","args":{"numbers":[1],"more":{"x":1e999}}}',
        b'{"kind":"test.add","args":[]}',
        b'{"kind":"test.add","args":null}',
        b'{"kind":"TEST","args":{}}',
        b'{"kind":"no.such.kind","args":{}}',
        b'{"kind":"test.add\\u0000","args":{}}',
        b'{"kind":"test.add","args":{"numbers":[1]},"priority":10}',
        b'{"kind":"test.add","args":{"numbers":[1]},"job_id":"1"}',
        b'{"kind":"test.add","args":{"numbers":[1]},"run_at":"2030-01-01T00:00:00"}',
        b'{"kind":"test.add","args":{"numbers":[1]},"run_at":"9999-12-31T23:59:59-23:59"}',
        b'{"kind":"test.add","args":{"numbers":[1]},"state":"succeeded"}',
    ],
)
def test_a_hostile_body_is_refused_as_a_fault_of_the_client(user, body):
    answer = user.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_kinds_are_submitted_by_those_they_are_for(user, operator):
    assert user.post("/v1/jobs", json={"kind": "test.upkeep"}).status_code == 403
    assert operator.post("/v1/jobs", json={"kind": "test.upkeep"}).status_code == 202
    for client in (user, operator):
        assert client.post("/v1/jobs", json={"kind": "test.inner"}).status_code == 403


def test_a_job_of_the_future_waits_and_one_of_the_past_is_due_now(user):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    waiting = submit(user, run_at=tomorrow.isoformat())
    assert waiting["state"] == "scheduled"
    assert datetime.fromisoformat(waiting["run_at"]) == tomorrow

    due = submit(user, run_at="1970-01-01T00:00:00Z")
    assert due["state"] == "queued"
    assert datetime.now(UTC) - datetime.fromisoformat(due["run_at"]) < timedelta(minutes=1)

    assert submit(user, run_at="9999-12-31T23:59:59Z")["state"] == "scheduled"
    assert submit(user, run_at="0001-01-01T00:00:00Z")["state"] == "queued"


def test_a_job_of_the_past_can_be_repeated_by_its_id(user):
    body = {"job_id": str(uuid.uuid4()), "run_at": "2001-01-01T00:00:00Z"}
    assert submit(user, **body)["run_at"] == submit(user, **body)["run_at"]


def test_a_waiting_job_is_cancelled_at_once(user):
    job = submit(user)
    answer = user.post(f"/v1/jobs/{job['id']}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    assert user.post(f"/v1/jobs/{job['id']}/cancel").status_code == 202


def test_a_running_job_is_asked_to_stop(user, worker_hand):
    job = submit(user)
    fence = worker_hand.claim(job["id"])
    answer = user.post(f"/v1/jobs/{job['id']}/cancel")
    assert (answer.json()["state"], answer.json()["cancel_requested"]) == ("running", True)
    worker_hand.complete(fence)
    assert user.post(f"/v1/jobs/{job['id']}/cancel").status_code == 409


def test_a_dead_job_is_retried_as_a_new_one_that_names_it(user, worker_hand):
    job = submit(user, priority=7)
    worker_hand.fail(worker_hand.claim(job["id"]))
    dead = user.get(f"/v1/jobs/{job['id']}").json()
    assert (dead["state"], dead["error"]["message"]) == ("dead", "the test says so")

    answer = user.post(f"/v1/jobs/{job['id']}/retry")
    assert answer.status_code == 202
    again = answer.json()
    assert (again["retry_of"], again["state"], again["priority"]) == (job["id"], "queued", 7)
    assert answer.headers["Location"] == f"/v1/jobs/{again['id']}"
    assert user.get(f"/v1/jobs/{job['id']}").json() == dead

    user.post(f"/v1/jobs/{again['id']}/cancel")
    third = user.post(f"/v1/jobs/{again['id']}/retry").json()
    assert third["retry_of"] == again["id"]


def test_only_a_dead_or_cancelled_job_can_be_retried(user, worker_hand):
    job = submit(user)
    assert user.post(f"/v1/jobs/{job['id']}/retry").status_code == 409
    worker_hand.complete(worker_hand.claim(job["id"]))
    assert user.post(f"/v1/jobs/{job['id']}/retry").status_code == 409


def test_every_failed_attempt_is_kept_with_its_error(user, worker_hand):
    job = submit(user)
    worker_hand.fail(worker_hand.claim(job["id"]), permanent=False)
    worker_hand.fail(worker_hand.claim(job["id"]))
    attempts = user.get(f"/v1/jobs/{job['id']}/attempts").json()["items"]
    assert [(item["attempt"], item["outcome"]) for item in attempts] == [(1, "failed"), (2, "failed")]
    assert attempts[0]["error"]["message"] == "the test says so"


def test_a_list_walks_over_every_job_once_newest_first(user):
    ids = [submit(user)["id"] for _ in range(5)]
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = user.get("/v1/jobs", params={"limit": 2, **cursor}).json()
        found += [job["id"] for job in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
        submit(user)  # comes before the first page: it must not move the others
    assert found == ids[::-1]


def test_a_list_is_filtered_by_state_and_kind(operator):
    job = submit(operator)
    operator.post(f"/v1/jobs/{job['id']}/cancel")
    other = operator.post("/v1/jobs", json={"kind": "test.upkeep"}).json()
    listed = lambda **query: [item["id"] for item in operator.get("/v1/jobs", params=query).json()["items"]]  # noqa: E731
    assert listed(state="cancelled") == [job["id"]]
    assert listed(kind="test.upkeep") == [other["id"]]
    assert listed(kind="test.upkeep", state="cancelled") == []


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "W10"},
        {"cursor": "WyI5OTk5LTEyLTMxVDIzOjU5OjU5LTIzOjU5IiwgIjAiXQ"},
        {"cursor": "é" * 50},
        {"state": "lost"},
        {"kind": "a\x00"},
        {"limit": "0"},
        {"limit": "201"},
    ],
)
def test_a_query_that_makes_no_sense_is_refused(user, query):
    assert user.get("/v1/jobs", params=query).status_code == 422


def test_job_kinds_tell_their_arguments(user):
    kinds = {kind["kind"]: kind for kind in user.get("/v1/job-kinds").json()["items"]}
    assert set(kinds["test.add"]["args_schema"]["properties"]) == {"numbers", "note", "more"}
    assert kinds["test.add"]["summary"] == "Adds numbers."
    assert {name: kinds[name]["submitted_by"] for name in ("test.add", "test.upkeep", "test.inner")} == {
        "test.add": "user",
        "test.upkeep": "operator",
        "test.inner": "system",
    }
