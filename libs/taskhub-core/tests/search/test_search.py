"""What a search finds, in either engine."""

import base64
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskhub_core.errors import InvalidInput
from taskhub_core.search.request import SearchHit
from taskhub_core.tasks.formats import TaskDraft
from taskhub_core.tasks.listing import TaskFilter
from taskhub_core.tasks.status import TaskStatus

from .conftest import Ask, Library, search_once, titles


def test_words_are_found_whole_and_by_their_beginning_and_all_must_be_there(library: Library, ask: Ask) -> None:
    library.index(library.add(["Buy groceries", "Buy a bicycle", "Sell groceries"]))
    assert titles(ask("groceries buy")) == ["Buy groceries"]
    assert sorted(titles(ask("groc"))) == ["Buy groceries", "Sell groceries"]
    assert titles(ask("bu bic")) == ["Buy a bicycle"]
    assert titles(ask("groceries rent")) == []


def test_words_may_be_spread_over_title_tags_and_notes(library: Library, ask: Ask) -> None:
    library.index(library.add([TaskDraft(title="Plan trip", notes="by train to Ghent", tags=("travel", "two-days"))]))
    for query in ("trip ghent travel", "two-days", "PLAN", "Travel train"):
        assert titles(ask(query)) == ["Plan trip"], query


def test_elasticsearch_forgives_typos_but_ranks_them_last(library: Library, elasticsearch_url: str) -> None:
    library.index(library.add(["Supermarkt flyers", "Go to the supermarket", "Supper"]))
    found = search_once(library, elasticsearch_url, "supermarkt")
    assert titles(found) == ["Supermarkt flyers", "Go to the supermarket"]
    assert found.hits[1].highlights["title"] == ["Go to the <em>supermarket</em>"]
    assert titles(search_once(library, elasticsearch_url, "xupermarket")) == [], "the first letter must be right"


def test_elasticsearch_ranks_words_that_stand_together_first(library: Library, elasticsearch_url: str) -> None:
    library.index(library.add(["Tax return", "Return books, then do the tax", "Return the tax form"]))
    assert titles(search_once(library, elasticsearch_url, "tax return"))[0] == "Tax return"


def test_a_title_counts_more_than_tags_and_tags_more_than_notes(library: Library, ask: Ask) -> None:
    drafts = [
        TaskDraft(title="Third", notes="invoice"),
        TaskDraft(title="First invoice"),
        TaskDraft(title="Second", tags=("invoice",)),
    ]
    library.index(library.add(drafts))
    assert titles(ask("invoice")) == ["First invoice", "Second", "Third"]


def test_highlights_mark_the_words_and_escape_everything_else(library: Library, ask: Ask) -> None:
    library.index(
        library.add([TaskDraft(title="Fix <b> & report", notes="The report is due. " + "Filler words. " * 80)])
    )
    (hit,) = ask("repo").hits
    assert hit.highlights["title"] == ["Fix &lt;b&gt; &amp; <em>report</em>"]
    assert "<em>report</em>" in hit.highlights["notes"][0]
    assert len(hit.highlights["notes"][0]) < 400


def test_hits_are_whole_tasks(library: Library, ask: Ask) -> None:
    draft = TaskDraft(
        title="Everything",
        notes="line\nline",
        status=TaskStatus.IN_PROGRESS,
        priority=3,
        due_at=datetime(2031, 5, 4, 3, 2, 1, 123456, tzinfo=UTC),
        tags=("a", "B"),
        external_id="x-1",
    )
    tasks = library.add([draft])
    library.index(tasks)
    assert [hit.task for hit in ask("everything").hits] == tasks


def test_filters_narrow_a_search(library: Library, ask: Ask) -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    drafts = [
        TaskDraft(title="Task one", status=TaskStatus.DONE, priority=1, tags=("red", "big"), due_at=noon),
        TaskDraft(title="Task two", priority=2, tags=("red",), due_at=noon + timedelta(hours=1)),
        TaskDraft(title="Task three", priority=4),
    ]
    library.index(library.add(drafts))
    cases = {
        TaskFilter(statuses=(TaskStatus.DONE,)): {"Task one"},
        TaskFilter(statuses=(TaskStatus.DONE, TaskStatus.OPEN)): {"Task one", "Task two", "Task three"},
        TaskFilter(tags=("red",)): {"Task one", "Task two"},
        TaskFilter(tags=("red", "big")): {"Task one"},
        TaskFilter(priorities=(2, 4)): {"Task two", "Task three"},
        TaskFilter(due_from=noon, due_before=noon + timedelta(hours=1)): {"Task one"},
        TaskFilter(due_from=noon + timedelta(minutes=1)): {"Task two"},
    }
    for filters, expected in cases.items():
        assert set(titles(ask("task", filters=filters))) == expected, filters


def test_deleted_tasks_and_other_accounts_are_not_found(
    library: Library, ask: Ask, make_account: Callable[[], uuid.UUID]
) -> None:
    mine, deleted = library.add(["Shared word mine", "Shared word deleted"])
    stranger = replace(library, account_id=make_account())
    theirs = stranger.add(["Shared word theirs"])
    library.index([mine, *theirs])
    library.delete(deleted)
    assert titles(ask("shared word")) == ["Shared word mine"]


def test_pages_cover_every_hit_once(library: Library, ask: Ask) -> None:
    drafts = [TaskDraft(title="report " * (1 + n % 3), notes="report" if n % 2 else "") for n in range(47)]
    tasks = library.add(drafts)
    library.index(tasks)
    seen: list[SearchHit] = []
    cursor = None
    while True:
        answer = ask("report", limit=5, cursor=cursor)
        seen += answer.hits
        if answer.next_cursor is None:
            break
        cursor = answer.next_cursor
    assert len(seen) == len(tasks)
    assert {hit.task.id for hit in seen} == {task.id for task in tasks}
    scores = [hit.score for hit in seen]
    assert scores == sorted(scores, reverse=True)


def test_a_page_is_followed_by_the_same_page_while_others_write(library: Library, ask: Ask) -> None:
    rare = [f"report {n}" for n in range(6)]
    library.index(library.add([*rare, *(f"other {n}" for n in range(40))]))
    first = ask("report", limit=3)
    expected = titles(ask("report", limit=3, cursor=first.next_cursor))
    # The word is not rare any more: scores that look at other documents would all fall below the cursor's.
    library.index(library.add([f"report report new{n}" for n in range(60)]))
    assert titles(ask("report", limit=3, cursor=first.next_cursor)) == expected


@pytest.mark.parametrize(
    "cursor", ["", "x", "äöü", "AAAA", "!!!!", base64.urlsafe_b64encode(b'["elasticsearch",1,2,3]').decode()]
)
def test_a_damaged_cursor_is_refused(library: Library, ask: Ask, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        ask("report", cursor=cursor)


def test_a_cursor_of_another_search_is_refused(library: Library, ask: Ask) -> None:
    library.index(library.add(["report a", "report b"]))
    cursor = ask("report", limit=1).next_cursor
    with pytest.raises(InvalidInput, match="cursor"):
        ask("repo", limit=1, cursor=cursor)
    with pytest.raises(InvalidInput, match="cursor"):
        ask("report", limit=1, cursor=cursor, filters=TaskFilter(priorities=(1,)))


_PIECES = ["a", "to", "OR", "AND", "NOT", "'", ":*", "\\", "title:", "🎉", "x" * 300]
_NASTY = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="'\"\\&|!<->():*?+^~{}[]/ ab\x00\ud800\ue000\t%_-", max_size=40),
    st.lists(st.sampled_from(_PIECES), max_size=30).map(" ".join),
)


@given(query=_NASTY)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_query_whatever_is_answered(library: Library, ask: Ask, query: str) -> None:
    answer = ask(query, limit=2)
    assert answer.next_cursor is None
    orjson.dumps([hit.highlights for hit in answer.hits])
