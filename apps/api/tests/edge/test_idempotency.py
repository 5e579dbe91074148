"""Idempotency-Key: one effect and one answer, however often and however simultaneously a request comes."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import Engine, text

from taskhub_core.database import idempotency

TASK = {"title": "once", "tags": ["a"]}


def _titles(user: httpx.Client) -> list[str]:
    return [task["title"] for task in user.get("/v1/tasks").json()["items"]]


def _post(user: httpx.Client, key: str, body: Any = TASK, url: str = "/v1/tasks") -> httpx.Response:
    return user.post(url, json=body, headers={"Idempotency-Key": key})


def test_a_repeated_request_gets_the_first_ones_answer(user: httpx.Client) -> None:
    first, again = _post(user, "k"), _post(user, "k")
    assert again.status_code == first.status_code == 201
    assert again.content == first.content
    for name in ("ETag", "Location", "Content-Type"):
        assert again.headers[name] == first.headers[name]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert _titles(user) == ["once"]


@pytest.mark.parametrize(
    ("url", "body"),
    [("/v1/tasks", {**TASK, "title": "twice"}), ("/v1/tasks?x=1", TASK), ("/v1/tasks/batch", {"tasks": [TASK]})],
)
def test_a_key_of_another_request_is_refused(user: httpx.Client, url: str, body: Any) -> None:
    assert _post(user, "k").status_code == 201
    answer = _post(user, "k", body, url)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert _titles(user) == ["once"]


def test_accounts_have_their_keys_to_themselves(user: httpx.Client, client_of: Any) -> None:
    assert _post(user, "k").headers.get("Idempotent-Replayed") is None
    assert _post(client_of(), "k").headers.get("Idempotent-Replayed") is None


def test_simultaneous_twins_have_one_effect_and_one_answer(user: httpx.Client) -> None:
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: _post(user, "twins"), range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert _titles(user) == ["once"]


def test_twins_whose_effect_collides_have_one_answer_too(user: httpx.Client) -> None:
    body = {**TASK, "external_id": "the same"}
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: _post(user, "twins", body), range(10)))
    assert [answer.status_code for answer in answers] == [201] * 10
    assert len({answer.content for answer in answers}) == 1


def test_simultaneous_requests_with_one_key_and_other_bodies_have_one_effect(user: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as threads:
        bodies = [{**TASK, "title": str(number)} for number in range(8)]
        answers = list(threads.map(lambda body: _post(user, "contested", body), bodies))
    assert sorted(answer.status_code for answer in answers) == [201, *[422] * 7]
    assert len(_titles(user)) == 1


def test_changes_and_deletions_are_replayed_too(user: httpx.Client) -> None:
    task = user.post("/v1/tasks", json=TASK).json()
    url, headers = f"/v1/tasks/{task['id']}", {"If-Match": '"1"', "Idempotency-Key": "change"}
    first = user.patch(url, json={"title": "b"}, headers=headers)
    again = user.patch(url, json={"title": "b"}, headers=headers)  # without the key this would be 412
    assert (first.status_code, again.content) == (200, first.content)
    headers = {"If-Match": "*", "Idempotency-Key": "delete"}
    assert [user.delete(url, headers=headers).status_code for _ in range(2)] == [204, 204]
    assert user.get(url).status_code == 404


def test_a_refused_request_leaves_its_key_free(user: httpx.Client) -> None:
    task = user.post("/v1/tasks", json={**TASK, "external_id": "taken"}).json()
    body = {"title": "b", "external_id": "taken"}
    assert _post(user, "k", body).status_code == 409
    assert user.delete(f"/v1/tasks/{task['id']}", headers={"If-Match": "*"}).status_code == 204
    assert _post(user, "k", body).status_code == 201


def test_a_key_is_kept_for_a_day_and_then_purged(user: httpx.Client, engine: Engine) -> None:
    key = uuid.uuid4().hex
    first = _post(user, key)
    age = text("UPDATE idempotency_keys SET created_at = now() - CAST(:age AS interval) WHERE key = :key")
    for hours, replayed in (("23 hours 59 minutes", True), ("24 hours 1 minute", False)):
        with engine.begin() as connection:
            connection.execute(age, {"age": hours, "key": key})
            idempotency.purge(connection, limit=10_000)
        assert (_post(user, key).content == first.content) is replayed


def test_every_post_takes_an_idempotency_key(api: Any) -> None:
    document = api.app.openapi()
    without = []
    for route in iter_route_contexts(api.app.routes):
        if "POST" in (route.methods or set()):
            parameters = document["paths"][route.path_format]["post"].get("parameters", [])
            if not any(parameter["name"].lower() == "idempotency-key" for parameter in parameters):
                without.append(route.path)
    assert without == []
