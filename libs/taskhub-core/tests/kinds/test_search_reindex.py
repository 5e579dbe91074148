"""The kind search.reindex, run as a worker runs it."""

import uuid
from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch
from pydantic import TypeAdapter
from sqlalchemy import Engine

from taskhub_core.jobs.errors import PermanentError, RetryLater
from taskhub_core.search.client import make_client
from taskhub_core.search.index import indices_behind
from taskhub_core.settings import HttpUrl, SearchSettings
from taskhub_core.tasks import service
from taskhub_core.tasks.formats import TaskDraft
from taskhub_core.tasks.service import NewTask

from .conftest import Jobs


def _url(url: str) -> HttpUrl:
    return TypeAdapter(HttpUrl).validate_python(url)


@pytest.fixture
def searching(jobs: Jobs, elasticsearch_url: str, search_alias: str) -> Jobs:
    return jobs.with_settings(elasticsearch_url=_url(elasticsearch_url), search_alias=search_alias)


@pytest.fixture
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    client = make_client(SearchSettings(elasticsearch_url=_url(elasticsearch_url)), timeout_seconds=30)
    yield client
    client.close()


def _add_tasks(engine: Engine, account_id: uuid.UUID, count: int) -> None:
    with engine.begin() as connection:
        service.create(connection, account_id, [NewTask(TaskDraft(title=f"Task {n}")) for n in range(count)])


def test_it_builds_the_index_and_then_repairs_it(
    searching: Jobs, engine: Engine, account_id: uuid.UUID, client: Elasticsearch, search_alias: str
) -> None:
    _add_tasks(engine, account_id, 3)
    job_id = searching.submit(account_id, "search.reindex")
    built = searching.attempt(job_id)
    assert (built["documents"], [built["index"]]) == (3, indices_behind(client, search_alias))
    assert searching.get(job_id).progress == {"done": 3, "total": 3, "message": "catching up after the swap"}

    _add_tasks(engine, account_id, 2)
    repaired = searching.run(account_id, "search.reindex", mode="repair")
    assert (repaired["missing"], repaired["repaired"]) == (2, 2)
    client.indices.refresh(index=search_alias)
    assert client.count(index=search_alias)["count"] == 5


def test_without_elasticsearch_it_fails_for_good(jobs: Jobs, account_id: uuid.UUID) -> None:
    with pytest.raises(PermanentError, match="TASKHUB_ELASTICSEARCH_URL"):
        jobs.run(account_id, "search.reindex")


def test_while_elasticsearch_is_away_it_is_tried_again(jobs: Jobs, account_id: uuid.UUID) -> None:
    away = jobs.with_settings(elasticsearch_url=_url("http://127.0.0.1:9"))
    with pytest.raises(RetryLater):
        away.run(account_id, "search.reindex")
