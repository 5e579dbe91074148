"""Search over HTTP: from Elasticsearch, from PostgreSQL in its place, and from the index while PostgreSQL is away."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Engine, create_engine

from taskhub_core.database.migrate import upgrade
from taskhub_core.search.client import make_client
from taskhub_core.search.document import live
from taskhub_core.search.index import create_index, new_index_name, swap_alias
from taskhub_core.search.write import write
from taskhub_core.settings import SearchSettings
from taskhub_core.tasks import service
from taskhub_local.testing import wait_for

type Index = Callable[[Engine, uuid.UUID, list[str]], None]


@pytest.fixture
def elastic(elasticsearch_url: str, search_alias: str) -> Iterator[Elasticsearch]:
    """Elasticsearch with an empty index behind the test's alias."""
    client = make_client(SearchSettings(elasticsearch_url=elasticsearch_url, search_alias=search_alias))
    name = new_index_name(search_alias)
    create_index(client, name)
    swap_alias(client, search_alias, to=name)
    yield client
    client.close()


@pytest.fixture
def index(elastic: Elasticsearch, search_alias: str) -> Index:
    """Puts tasks into the index, as the consumer does."""

    def put(engine: Engine, account_id: uuid.UUID, task_ids: list[str]) -> None:
        with engine.connect() as connection:
            tasks = [service.get(connection, account_id, uuid.UUID(task_id)) for task_id in task_ids]
        write(elastic, search_alias, [live(task) for task in tasks])
        elastic.indices.refresh(index=search_alias)

    return put


def patient(elasticsearch_url: str) -> dict[str, Any]:
    """Settings for an Elasticsearch that has just started, on a busy machine: its first answers take long."""
    return {"elasticsearch_url": elasticsearch_url, "search_timeout_ms": 8_000}


def add(client: httpx.Client, title: str, **fields: Any) -> str:
    answer = client.post("/v1/tasks", json={"title": title, **fields})
    assert answer.status_code == 201
    return str(answer.json()["id"])


def search(client: httpx.Client, q: str, **query: Any) -> dict[str, Any]:
    answer = client.get("/v1/search", params={"q": q, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def titles(found: dict[str, Any]) -> list[str]:
    return [item["task"]["title"] for item in found["items"]]


def test_without_elasticsearch_postgresql_is_the_source_and_nothing_is_degraded(user, client_of):
    add(user, "Rotate the signing keys", notes="before Friday & not after", tags=["security"], priority=3)
    add(user, "Water the plants")
    add(client_of(), "Rotate the tyres")
    found = search(user, "rotat")
    assert titles(found) == ["Rotate the signing keys"]
    assert (found["source"], found["degraded"], found["reason"], found["stale"]) == ("postgresql", False, None, False)
    assert found["items"][0]["highlights"]["title"] == ["<em>Rotate</em> the signing keys"]
    assert search(user, "friday")["items"][0]["highlights"]["notes"] == ["before <em>Friday</em> &amp; not after"]


def test_filters_narrow_a_search(user):
    add(user, "Review the plan", tags=["work", "q4"], priority=4, due_at="2026-02-01T00:00:00Z")
    add(user, "Review the film", tags=["home"], status="done")
    assert titles(search(user, "review", tag=["work", "q4"])) == ["Review the plan"]
    assert titles(search(user, "review", status="done")) == ["Review the film"]
    assert titles(search(user, "review", priority=[3, 4])) == ["Review the plan"]
    assert titles(search(user, "review", due_from="2026-01-31T00:00:00Z", due_before="2026-02-02T00:00:00Z")) == [
        "Review the plan"
    ]
    assert titles(search(user, "review", due_before="2026-01-31T00:00:00Z")) == []


def test_pages_of_a_search_are_walked_over_once(user):
    for number in range(5):
        add(user, f"Count sheep {number}")
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = search(user, "sheep", **query)
        found += titles(page)
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert sorted(found) == [f"Count sheep {number}" for number in range(5)]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"q": ""},
        {"q": "x" * 1_001},
        {"q": "x", "status": "lost"},
        {"q": "x", "priority": "5"},
        {"q": "x", "due_from": "tomorrow"},
        {"q": "x", "limit": "101"},
        {"q": "x", "cursor": "W10"},
        {"q": "x\x00y"},
    ],
)
def test_a_query_that_makes_no_sense_is_refused(user, query):
    assert user.get("/v1/search", params=query).status_code == 422


@pytest.mark.parametrize("q", ["'", "\\", "a:* & !b | (", "%", "-", "🎉", '"open', "a' OR 'b", "x" * 1_000])
def test_any_text_may_be_searched_for(user, q):
    assert search(user, q)["items"] == []


def test_elasticsearch_forgives_typos(
    elastic, index, serve_api, client_of, user_id, engine, elasticsearch_url, search_alias
):
    client = client_of(user_id, api=serve_api(search_alias=search_alias, **patient(elasticsearch_url)))
    task_id = add(client, "Rotate the signing keys", notes="The runbook has the steps.", tags=["security"])
    index(engine, user_id, [task_id])
    found = search(client, "rotaet sign")
    assert titles(found) == ["Rotate the signing keys"]
    assert (found["source"], found["degraded"], found["stale"]) == ("elasticsearch", False, False)
    assert "<em>signing</em>" in found["items"][0]["highlights"]["title"][0]
    assert found["items"][0]["task"] == client.get(f"/v1/tasks/{task_id}").json()


def test_an_unreachable_elasticsearch_degrades_the_answer_and_says_so(serve_api, client_of):
    client = client_of(api=serve_api(elasticsearch_url="http://127.0.0.1:1"))
    add(client, "Water the plants")
    found = search(client, "plants")
    assert titles(found) == ["Water the plants"]
    assert (found["source"], found["degraded"], found["reason"]) == ("postgresql", True, "unreachable")


def test_the_index_answers_while_postgresql_is_frozen_and_is_labelled_stale(
    own_postgres, elastic, index, serve_api, client_of, frozen, elasticsearch_url, search_alias
):
    upgrade(own_postgres.url)
    account_id, stranger_id = uuid.uuid4(), uuid.uuid4()
    with psycopg.connect(own_postgres.url, autocommit=True) as session:
        for number, id_ in enumerate((account_id, stranger_id)):
            session.execute(
                "INSERT INTO accounts (id, email, password_hash) VALUES (%s, %s, '-')", (id_, f"{number}@example.org")
            )
    running = serve_api(
        database_url=own_postgres.url, search_alias=search_alias, probe_seconds=0.2, **patient(elasticsearch_url)
    )
    client, stranger = client_of(account_id, api=running), client_of(stranger_id, api=running)
    indexed, not_indexed = add(client, "Water the plants"), add(client, "Feed the cat")
    engine = create_engine(own_postgres.url.replace("postgresql:", "postgresql+psycopg:"))
    index(engine, account_id, [indexed])
    engine.dispose()
    assert search(client, "plants")["stale"] is False
    fresh = client.get(f"/v1/tasks/{indexed}")
    assert "TaskHub-Stale" not in fresh.headers

    with frozen(own_postgres):
        wait_for(lambda: search(client, "plants")["stale"], message="the answer was not labelled stale")
        assert titles(search(client, "plants")) == ["Water the plants"]
        wait_for(lambda: client.get(f"/v1/tasks/{indexed}").status_code == 200, deadline_seconds=20)
        stale = client.get(f"/v1/tasks/{indexed}")
        assert (stale.headers["TaskHub-Stale"], stale.json()) == ("true", fresh.json())
        started = time.monotonic()
        assert client.get(f"/v1/tasks/{not_indexed}").status_code == 503
        assert time.monotonic() - started < 4  # promised: 2 s
        assert stranger.get(f"/v1/tasks/{indexed}").status_code == 503  # neither told nor denied
    wait_for(lambda: search(client, "plants")["stale"] is False, message="the label stayed")
    wait_for(lambda: "TaskHub-Stale" not in client.get(f"/v1/tasks/{indexed}").headers)
