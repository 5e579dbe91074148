"""Reconciliation finds each kind of drift, repairs it, and takes nothing for drift that is only under way."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Engine, text

from taskhub_core.search.document import live
from taskhub_core.search.reconcile import Reconciliation, latest, reconcile
from taskhub_core.search.write import IndexUnavailable, write

from .conftest import Library

type Reconcile = Callable[..., Reconciliation]


@pytest.fixture
def run(library: Library) -> Reconcile:
    def once(**options: object) -> Reconciliation:
        return reconcile(library.engine, library.client, library.alias, **{"grace_seconds": 0.1, **options})  # type: ignore[arg-type]

    return once


def _live_versions(library: Library) -> dict[object, int]:
    return {task_id: source["version"] for task_id, source in library.sources().items() if not source["deleted"]}


def test_equal_sides_have_no_drift(library: Library, run: Reconcile) -> None:
    library.index(library.add(f"Task {n}" for n in range(50)))
    result = run()
    assert (result.documents_expected, result.documents_found, result.ranges_different) == (50, 50, 0)
    assert result.drift == 0


def test_each_kind_of_drift_is_found_and_repaired(library: Library, run: Reconcile, engine: Engine) -> None:
    tasks = library.add(f"Task {n}" for n in range(10))
    missing, stale, deleted, forgotten, *_ = tasks
    library.index([task for task in tasks if task is not missing])
    library.change(stale, "changed")
    library.delete(deleted)
    library.forget(forgotten)

    found = run(repair=False)
    counted = (found.missing, found.stale, found.superfluous, found.repaired)
    assert counted == (1, 1, 2, 0)
    assert run(repair=False).drift == 4, "without repair nothing may change"

    repaired = run()
    assert (repaired.drift, repaired.repaired, repaired.ahead) == (4, 4, 0)
    after = run()
    assert (after.drift, after.ranges_different) == (0, 0)
    expected = {task.id: 1 for task in tasks if task not in (deleted, forgotten)} | {stale.id: 2}
    assert _live_versions(library) == expected
    with engine.connect() as connection:
        assert latest(connection) == after
    assert REGISTRY.get_sample_value("taskhub_index_drift_documents", {"difference": "missing"}) == 0
    assert REGISTRY.get_sample_value("taskhub_index_reconciled_timestamp_seconds", {"index": library.alias})


def test_a_document_newer_than_postgresql_is_reported_and_left_for_a_reindex(library: Library, run: Reconcile) -> None:
    (task,) = library.add(["Restored from a backup"])
    library.index([replace(task, version=7)])
    result = run()
    assert (result.stale, result.ahead, result.repaired) == (1, 1, 0)


def test_changes_on_their_way_are_not_drift(library: Library, run: Reconcile) -> None:
    known, changed, deleted = library.add(["Known", "Changed", "Deleted"])
    library.index([known, changed, deleted])
    on_their_way = [*library.add(["New"]), library.change(changed, "Changed again")]
    arrived = threading.Event()

    def events_arrive() -> None:
        if not arrived.is_set():
            arrived.set()
            write(library.client, library.alias, [live(task) for task in on_their_way])

    # `check` is called while the grace period runs: the events come after the first look and before the second.
    result = run(grace_seconds=0.5, check=events_arrive)
    assert arrived.is_set()
    assert result.ranges_different > 0
    assert (result.drift, result.repaired) == (0, 0)


def test_what_was_changed_a_moment_ago_is_left_to_its_event_and_is_drift_later(
    library: Library, run: Reconcile, engine: Engine
) -> None:
    changed, deleted, *_ = library.add(["Changed", "Deleted", "New"])
    library.index([changed, deleted])
    library.change(changed, "Changed again")
    library.delete(deleted)
    left = run(delivery_seconds=60)
    assert (left.ranges_different > 0, left.drift, left.repaired) == (True, 0, 0)

    with engine.begin() as connection:
        connection.execute(text("UPDATE tasks SET updated_at = updated_at - interval '61 seconds'"))
    found = run(delivery_seconds=60)
    assert (found.missing, found.stale, found.superfluous, found.repaired) == (1, 1, 1, 3)


def test_a_missing_index_cannot_be_reconciled(library: Library, run: Reconcile) -> None:
    (name,) = library.client.indices.get_alias(name=library.alias)
    library.client.indices.delete(index=name)
    with pytest.raises(IndexUnavailable):
        run()
