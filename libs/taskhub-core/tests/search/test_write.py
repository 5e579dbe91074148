"""Versioned writes: what is newer stays, whatever order writes come in."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

import pytest
from elasticsearch import Elasticsearch

from taskhub_core.search.client import SearchFailure
from taskhub_core.search.document import Document, live, tombstone
from taskhub_core.search.purge import purge_tombstones
from taskhub_core.search.write import IndexRefused, IndexUnavailable, Written, check_writable, write
from taskhub_core.tasks.task import Task

from .conftest import Library


def _gone(task: Task, version: int, at: datetime | None = None) -> Document:
    return tombstone(task.id, account_id=task.account_id, version=version, at=at or datetime.now(UTC))


def test_the_newest_version_stays_whatever_order_writes_come_in(library: Library) -> None:
    orders = list(permutations(range(1, 4)))
    tasks = library.add([f"Task {number}" for number in range(len(orders))])
    for task, order in zip(tasks, orders, strict=True):
        for version in order:
            write(library.client, library.alias, [live(replace(task, version=version, title=f"v{version}"))])
    assert {source["title"] for source in library.sources().values()} == {"v3"}


def test_a_late_event_cannot_bring_a_deleted_task_back(library: Library) -> None:
    (task,) = library.add(["Short-lived"])
    write(library.client, library.alias, [_gone(task, 2)])
    outcome = write(library.client, library.alias, [live(task)])
    assert outcome == Written(written=0, already_newer=1)
    assert library.sources()[task.id]["deleted"] is True


def test_what_the_mapping_refuses_is_reported_and_its_neighbours_are_written(library: Library) -> None:
    good, bad = library.add(["Good", "Bad"])
    document = live(bad)
    broken = replace(document, source={**document.source, "unknown_field": 1})
    outcome = write(library.client, library.alias, [broken, live(good)])
    assert outcome.written == 1
    assert outcome.refused.keys() == {bad.id}
    assert "strict_dynamic_mapping_exception" in outcome.refused[bad.id]


def test_a_missing_alias_is_an_outage_and_no_index_is_made(client: Elasticsearch, search_alias: str) -> None:
    document = tombstone(uuid.uuid4(), account_id=uuid.uuid4(), version=1, at=datetime.now(UTC))
    with pytest.raises(IndexUnavailable) as raised:
        write(client, search_alias, [document])
    assert raised.value.failure is SearchFailure.MISSING
    assert not client.indices.exists(index=search_alias)


def test_what_elasticsearch_refuses_as_a_whole_is_no_outage(library: Library) -> None:
    """An outage is waited for, and this would be waited for for ever."""
    (task,) = library.add(["Too large"])
    document = live(task)
    too_large = replace(document, source={**document.source, "notes": "x" * 101 * 1024 * 1024})
    with pytest.raises(IndexRefused):
        write(library.client, library.alias, [too_large])


def test_an_index_that_takes_no_writes_is_an_outage_until_it_does(library: Library) -> None:
    check_writable(library.client, library.alias)
    library.client.indices.put_settings(index=library.alias, settings={"index.blocks.write": True})
    with pytest.raises(IndexUnavailable):
        check_writable(library.client, library.alias)
    library.client.indices.put_settings(index=library.alias, settings={"index.blocks.write": None})
    check_writable(library.client, library.alias)


def test_only_old_tombstones_are_purged(library: Library) -> None:
    old, young, alive = library.add(["Old", "Young", "Alive"])
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    write(library.client, library.alias, [_gone(old, 2, long_ago), _gone(young, 2), live(alive)])
    library.client.indices.refresh(index=library.alias)
    assert purge_tombstones(library.client, library.alias, older_than_hours=1) == 1
    assert library.sources().keys() == {young.id, alive.id}
