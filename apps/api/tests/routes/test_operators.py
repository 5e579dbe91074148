"""What operators do over HTTP with dead jobs of all accounts and with the index; and that nobody else may."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from taskhub_core.ids import new_id

ADD = {"kind": "test.add", "args": {"numbers": [1, 2]}}


@pytest.fixture
def dead_jobs(user, worker_hand) -> Any:
    """Makes dead jobs of a user."""

    def make(count: int = 1) -> list[str]:
        ids = []
        for _ in range(count):
            job_id = user.post("/v1/jobs", json=ADD).json()["id"]
            worker_hand.fail(worker_hand.claim(job_id))
            ids.append(job_id)
        return ids

    return make


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/operator/jobs/dead"),
        ("GET", f"/v1/operator/jobs/{uuid.UUID(int=1)}"),
        ("POST", f"/v1/operator/jobs/{uuid.UUID(int=1)}/replay"),
        ("POST", "/v1/operator/jobs/replay"),
        ("GET", "/v1/operator/dlq"),
        ("POST", "/v1/operator/dlq/redrive"),
        ("GET", "/v1/operator/index/drift"),
        ("POST", "/v1/operator/index/reindex"),
    ],
)
def test_operators_routes_are_for_operators(user, api, method, path):
    assert user.request(method, path).status_code == 403
    with_no_token = type(user)(base_url=api.url)
    with with_no_token as anybody:
        assert anybody.request(method, path).status_code == 401


def test_dead_jobs_of_every_account_are_listed_in_pages(clean_database, operator, dead_jobs):
    ids = dead_jobs(3)
    first = operator.get("/v1/operator/jobs/dead", params={"limit": 2}).json()
    rest = operator.get("/v1/operator/jobs/dead", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [job["id"] for job in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None
    assert operator.get("/v1/operator/jobs/dead", params={"kind": "test.upkeep"}).json()["items"] == []


def test_a_job_is_inspected_with_its_account_its_request_and_every_error(operator, user, user_id, worker_hand):
    answer = user.post("/v1/jobs", json=ADD, headers={"X-Request-Id": "the-request-of-it"})
    job_id = answer.json()["id"]
    worker_hand.fail(worker_hand.claim(job_id), permanent=False)
    worker_hand.fail(worker_hand.claim(job_id))
    job = operator.get(f"/v1/operator/jobs/{job_id}").json()
    assert (job["account_id"], job["state"], job["worker"]) == (str(user_id), "dead", "test")
    assert job["context"]["request_id"] == "the-request-of-it"
    assert [(item["attempt"], item["worker"]) for item in job["failed_attempts"]] == [(1, "test"), (2, "test")]
    assert job["failed_attempts"][0]["error"]["message"] == "the test says so"


def test_a_dead_job_is_replayed_for_its_own_account(operator, user, dead_jobs):
    (dead,) = dead_jobs()
    answer = operator.post(f"/v1/operator/jobs/{dead}/replay")
    assert answer.status_code == 202
    again = answer.json()
    assert (again["retry_of"], again["state"]) == (dead, "queued")
    assert user.get(f"/v1/jobs/{again['id']}").json()["retry_of"] == dead
    assert operator.get(answer.headers["Location"]).status_code == 200


def test_only_dead_jobs_are_replayed(operator, user):
    waiting = user.post("/v1/jobs", json=ADD).json()["id"]
    assert operator.post(f"/v1/operator/jobs/{waiting}/replay").status_code == 409
    assert operator.post(f"/v1/operator/jobs/{uuid.uuid4()}/replay").status_code == 404


def test_many_are_replayed_each_once_and_the_others_say_why_not(operator, user, dead_jobs):
    dead = dead_jobs(3)
    waiting, unknown = user.post("/v1/jobs", json=ADD).json()["id"], str(uuid.uuid4())
    answer = operator.post("/v1/operator/jobs/replay", json={"job_ids": [*dead, dead[0], waiting, unknown]})
    assert answer.status_code == 202
    outcome = answer.json()
    assert [item["job_id"] for item in outcome["replayed"]] == dead
    assert {item["job_id"]: item["reason"] for item in outcome["skipped"]} == {
        waiting: "it is queued",
        unknown: "there is no such job",
    }
    for item in outcome["replayed"]:
        assert user.get(f"/v1/jobs/{item['new_job_id']}").json()["retry_of"] == item["job_id"]

    second = operator.post("/v1/operator/jobs/replay", json={"job_ids": dead}).json()
    assert second["replayed"] == []
    assert all("replayed before" in item["reason"] for item in second["skipped"])


def test_the_dead_of_a_kind_are_replayed_oldest_first_until_none_is_left(clean_database, operator, user, dead_jobs):
    dead = dead_jobs(3)
    listed = lambda: operator.get("/v1/operator/jobs/dead", params={"not_replayed": True}).json()["items"]  # noqa: E731
    replayed = []
    for expected in (2, 1, 0):
        answer = operator.post("/v1/operator/jobs/replay", json={"kind": "test.add", "limit": 2}).json()
        assert len(answer["replayed"]) == expected
        replayed += [item["job_id"] for item in answer["replayed"]]
        assert len(listed()) == 3 - len(replayed)
    assert replayed == dead


@pytest.mark.parametrize(
    "body",
    [{}, {"job_ids": []}, {"job_ids": [str(uuid.UUID(int=1))], "kind": "test.add"}, {"kind": "test.add", "limit": 501}],
)
def test_a_replay_of_nothing_or_of_too_much_is_refused(operator, body):
    assert operator.post("/v1/operator/jobs/replay", json=body).status_code == 422


def test_five_hundred_are_replayed_at_once(operator, user_id, engine, user):
    ids = [str(new_id()) for _ in range(500)]
    with engine.begin() as connection:
        connection.execute(
            text(
                """
                INSERT INTO jobs (id, account_id, kind, state, run_at, args, fingerprint, max_attempts, finished_at)
                SELECT id, :account, 'test.add', 'dead', now(), '{"numbers": []}', '', 5, now()
                FROM unnest(CAST(:ids AS uuid[])) AS new (id)
                """
            ),
            {"ids": ids, "account": user_id},
        )
    answer = operator.post("/v1/operator/jobs/replay", json={"job_ids": ids})
    assert (answer.status_code, len(answer.json()["replayed"])) == (202, 500)


def test_a_reindex_is_submitted_as_the_operators_own_job(operator, user):
    answer = operator.post("/v1/operator/index/reindex", json={"mode": "repair"})
    assert answer.status_code == 202
    job = operator.get(answer.headers["Location"]).json()
    assert (job["kind"], job["args"]) == ("search.reindex", {"mode": "repair"})
    assert operator.post("/v1/operator/index/reindex").json()["args"] == {"mode": "full"}
    assert operator.post("/v1/operator/index/reindex", json={"mode": "half"}).status_code == 422
    assert user.post("/v1/jobs", json={"kind": "search.reindex"}).status_code == 403


def test_the_drift_is_that_of_the_last_reconciliation(clean_database, operator, engine):
    assert operator.get("/v1/operator/index/drift").json() == {"reconciliation": None}
    with engine.begin() as connection:
        for minute, stale in ((1, 9), (2, 3)):
            connection.execute(
                text(
                    """
                    INSERT INTO search_reconciliations (id, index_name, started_at, finished_at, documents_expected,
                        documents_found, ranges_different, missing, stale, superfluous, repaired)
                    VALUES (:id, 'tasks-1', :at, :at, 100, 99, 4, 2, :stale, 1, 6)
                    """
                ),
                {"id": new_id(), "stale": stale, "at": datetime(2026, 1, 5, 9, minute, tzinfo=UTC)},
            )
    found = operator.get("/v1/operator/index/drift").json()["reconciliation"]
    assert (found["stale"], found["drift"], found["repaired"]) == (3, 6, 6)
    assert (found["index_name"], found["finished_at"]) == ("tasks-1", "2026-01-05T09:02:00Z")
