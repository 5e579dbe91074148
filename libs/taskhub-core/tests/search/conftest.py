"""Fixtures of the search tests: tasks in PostgreSQL and in an index of their own."""

import asyncio
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Connection, Engine, text

from taskhub_core.search.client import make_client
from taskhub_core.search.document import live
from taskhub_core.search.index import create_index, new_index_name, swap_alias
from taskhub_core.search.request import SearchAnswer, SearchRequest, Source
from taskhub_core.search.service import SearchService
from taskhub_core.search.write import write
from taskhub_core.settings import SearchSettings
from taskhub_core.tasks import service as tasks_service
from taskhub_core.tasks.formats import TaskDraft
from taskhub_core.tasks.service import NewTask
from taskhub_core.tasks.task import Task


def search_settings(**values: Any) -> SearchSettings:
    return SearchSettings.model_validate(values)


@pytest.fixture
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    client = make_client(search_settings(elasticsearch_url=elasticsearch_url), timeout_seconds=30)
    yield client
    client.close()


@pytest.fixture
def alias(client: Elasticsearch, search_alias: str) -> str:
    """An alias with an empty index behind it."""
    name = new_index_name(search_alias)
    create_index(client, name)
    swap_alias(client, search_alias, to=name)
    return search_alias


@dataclass
class Library:
    """One account's tasks in PostgreSQL; the tests decide what reaches the index."""

    engine: Engine
    client: Elasticsearch
    alias: str
    account_id: uuid.UUID

    def add(self, drafts: Iterable[TaskDraft | str]) -> list[Task]:
        new = [NewTask(TaskDraft(title=draft) if isinstance(draft, str) else draft) for draft in drafts]
        with self.engine.begin() as connection:
            return tasks_service.create(connection, self.account_id, new)

    def change(self, task: Task, title: str) -> Task:
        with self.engine.begin() as connection:
            patch = tasks_service.TaskPatch({"title": title})
            return tasks_service.update(connection, self.account_id, task.id, patch, expected_version=None)

    def delete(self, task: Task) -> None:
        with self.engine.begin() as connection:
            tasks_service.delete(connection, self.account_id, task.id, expected_version=None)

    def index(self, tasks: Sequence[Task]) -> None:
        write(self.client, self.alias, [live(task) for task in tasks])
        self.client.indices.refresh(index=self.alias)

    def forget(self, *tasks: Task) -> None:
        """Deletes the rows, as retention does with old tombstones."""
        with self.engine.begin() as connection:
            ids = [task.id for task in tasks]
            connection.execute(text("DELETE FROM tasks WHERE id = ANY (CAST(:ids AS uuid[]))"), {"ids": ids})

    def sources(self, index: str | None = None) -> dict[uuid.UUID, dict[str, Any]]:
        target = index or self.alias
        self.client.indices.refresh(index=target)
        hits = self.client.search(index=target, size=10_000)["hits"]["hits"]
        return {uuid.UUID(hit["_id"]): hit["_source"] for hit in hits}

    async def run_unit[T](self, work: Callable[[Connection], T], /) -> T:
        def transaction() -> T:
            with self.engine.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(transaction)


@pytest.fixture
def library(engine: Engine, client: Elasticsearch, alias: str, account_id: uuid.UUID) -> Library:
    return Library(engine, client, alias, account_id)


type Ask = Callable[..., SearchAnswer]


@pytest.fixture(params=["elasticsearch", "postgresql"])
def ask(request: pytest.FixtureRequest, library: Library, elasticsearch_url: str) -> Ask:
    """Searches in one engine. What is promised of both is tested with both."""
    url = elasticsearch_url if request.param == "elasticsearch" else None
    return partial(search_once, library, url)


def search_once(library: Library, elasticsearch_url: str | None, query: str, **more: Any) -> SearchAnswer:
    """One search by a service of its own, with all the time that a cold Elasticsearch may need."""
    settings = search_settings(
        elasticsearch_url=elasticsearch_url, search_alias=library.alias, search_timeout_ms=20_000
    )

    async def once() -> SearchAnswer:
        async with SearchService(settings, library.run_unit) as service:
            return await service.search(SearchRequest(account_id=library.account_id, text=query, **more))

    answer = asyncio.run(once())
    assert (answer.source == Source.ELASTICSEARCH, answer.degraded) == (elasticsearch_url is not None, False)
    return answer


def titles(answer: SearchAnswer) -> list[str]:
    return [hit.task.title for hit in answer.hits]
