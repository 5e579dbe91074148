"""A full reindex: complete or not at all, while everybody goes on writing."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Engine, text

from taskhub_core.errors import Unavailable
from taskhub_core.ids import new_id
from taskhub_core.search import rows
from taskhub_core.search.document import live, tombstone
from taskhub_core.search.drift import compare
from taskhub_core.search.index import MAPPINGS, all_indices, indices_behind, new_index_name, swap_alias
from taskhub_core.search.reindex import ReindexRunning, VerificationFailed, ensure_index, reindex
from taskhub_core.search.write import write
from taskhub_core.tasks.task import Task

from .conftest import Library


def _equal(library: Library) -> bool:
    return compare(library.engine, library.client, library.alias).different == ()


def test_a_reindex_replaces_the_index_and_removes_the_old_one(library: Library) -> None:
    tasks = library.add(f"Task {n}" for n in range(30))
    library.delete(tasks[0])
    before = indices_behind(library.client, library.alias)
    steps: list[tuple[int, int | None, str]] = []
    done = reindex(library.engine, library.client, library.alias, report=lambda *step: steps.append(step))
    assert done is not None
    assert done.documents == 30, "the tombstone is written too"
    assert indices_behind(library.client, library.alias) == [done.index]
    assert all_indices(library.client, library.alias) == [done.index]
    assert list(done.removed) == before
    assert _equal(library)
    assert [step for _, _, step in steps] == ["writing", "verifying", "catching up after the swap"]


class _Writers:
    """Clients that write without a pause, and an indexer that applies their events late and out of order."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.stopping = threading.Event()
        self.longest_write_seconds = 0.0
        self.changes = 0
        self.failures: list[BaseException] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self.stopping.set()
            thread.join()
        assert self.failures == []

    def _run(self) -> None:
        try:
            late: list[Task | tuple[Task, int]] = []
            known = self.library.add(f"Early {n}" for n in range(20))
            late += known
            while not self.stopping.is_set():
                began = time.monotonic()
                (new,) = self.library.add([f"Task {self.changes}"])
                changed = self.library.change(known[self.changes % 20], f"Change {self.changes}")
                self.library.delete(new) if self.changes % 3 == 0 else None
                self.longest_write_seconds = max(self.longest_write_seconds, time.monotonic() - began)
                self.changes += 1
                late += [changed, new] + ([(new, 2)] if self.changes % 3 == 1 else [])
                while len(late) > 15:
                    self._apply(late.pop(0))
            for event in late:
                self._apply(event)
        except BaseException as error:
            self.failures.append(error)

    def _apply(self, event: Task | tuple[Task, int]) -> None:
        if isinstance(event, Task):
            document = live(event)
        else:
            task, version = event
            document = tombstone(task.id, account_id=task.account_id, version=version, at=task.updated_at)
        write(self.library.client, self.library.alias, [document])


def test_a_reindex_under_concurrent_writes_ends_equal_and_pauses_nobody(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "BATCH_ROWS", 50)
    library.index(library.add(f"Old {n}" for n in range(400)))
    writers = _Writers(library)
    with writers.running():
        for _ in range(2):
            assert reindex(library.engine, library.client, library.alias) is not None
    assert writers.changes > 20
    assert writers.longest_write_seconds < 2
    assert _equal(library)


def test_a_row_committed_late_with_an_early_time_is_caught_up(library: Library, account_id: object) -> None:
    """A transaction under way at the start commits after its place was passed, with the time it began at."""
    library.add(["First"])
    session = library.engine.connect()
    late_id = new_id()
    insert = text(
        """
        INSERT INTO tasks (id, account_id, title, created_at, updated_at)
        VALUES (:id, :account_id, 'Late', now() - interval '20 s', now() - interval '20 s')
        """
    )
    session.execute(insert, {"id": late_id, "account_id": account_id})

    def commit_after_the_first_pass(_done: int, _total: int | None, step: str) -> None:
        if step == "catching up after the swap":
            session.commit()

    reindex(library.engine, library.client, library.alias, report=commit_after_the_first_pass)
    session.close()
    assert late_id in library.sources()


def test_an_index_that_does_not_verify_is_not_swapped_in(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = library.add(["Good", "Unindexable"])
    library.index(tasks)
    before = all_indices(library.client, library.alias)

    def spoil(task: Task) -> object:
        return live(task if task.title == "Good" else replace(task, version=task.version + 5))

    # Every reading of the second task is wrong, so that no repair helps.
    monkeypatch.setattr(rows, "live", spoil)
    with pytest.raises(VerificationFailed, match="still differs from PostgreSQL in 1 documents"):
        reindex(library.engine, library.client, library.alias)
    assert indices_behind(library.client, library.alias) == before
    assert all_indices(library.client, library.alias) == before, "the spoilt index was left behind"


def test_a_reindex_that_is_stopped_leaves_nothing_behind(library: Library) -> None:
    library.add(["One"])
    before = all_indices(library.client, library.alias)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reindex(library.engine, library.client, library.alias, check=stop)
    assert all_indices(library.client, library.alias) == before


def test_two_reindexes_do_not_run_at_once(library: Library) -> None:
    library.add(["One"])
    refused: list[str] = []

    def second() -> None:
        with pytest.raises(ReindexRunning) as raised:
            reindex(library.engine, library.client, library.alias)
        refused.append(str(raised.value))

    reindex(library.engine, library.client, library.alias, check=second)
    assert refused


def test_a_missing_index_is_built_whole_before_the_alias_points_to_it(
    library: Library, make_checker: Callable[[], None]
) -> None:
    tasks = library.add(f"Task {n}" for n in range(5))
    for name in all_indices(library.client, library.alias):
        library.client.indices.delete(index=name)
    built = ensure_index(library.engine, library.client, library.alias, check=make_checker)
    assert built is not None
    assert library.sources().keys() == {task.id for task in tasks}
    assert ensure_index(library.engine, library.client, library.alias) is None


@pytest.fixture
def make_checker(library: Library) -> Callable[[], None]:
    def nobody_sees_an_incomplete_index() -> None:
        assert indices_behind(library.client, library.alias) == []
        with pytest.raises(Unavailable):
            ensure_index(library.engine, library.client, library.alias)

    return nobody_sees_an_incomplete_index


def test_an_index_of_an_older_release_learns_the_new_fields(
    engine: Engine, client: Elasticsearch, search_alias: str
) -> None:
    name = new_index_name(search_alias)
    fields = {name: field for name, field in MAPPINGS["properties"].items() if name != "completed_at"}
    client.indices.create(index=name, mappings={**MAPPINGS, "properties": fields})
    swap_alias(client, search_alias, to=name)
    assert ensure_index(engine, client, search_alias) is None
    learnt = client.indices.get_mapping(index=name)[name]["mappings"]["properties"]
    assert learnt.keys() == MAPPINGS["properties"].keys()


def test_only_one_of_many_builds_a_missing_index(engine: Engine, client: Elasticsearch, search_alias: str) -> None:
    outcomes: list[object] = []

    def build() -> None:
        try:
            outcomes.append(ensure_index(engine, client, search_alias))
        except Unavailable as error:
            outcomes.append(error)

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    assert len(all_indices(client, search_alias)) == 1
    assert len(indices_behind(client, search_alias)) == 1
