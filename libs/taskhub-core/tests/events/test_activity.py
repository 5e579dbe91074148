"""The feed: one line an event, and pages that miss none."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from taskhub_core.errors import InvalidInput
from taskhub_core.events.activity import list_activity, record
from taskhub_core.events.schema import Event, event

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def _event(account_id: uuid.UUID, number: int = 0, type_: str = "task.created") -> Event:
    # Pairs of events at the same moment: the id must tell them apart.
    at = NOON + timedelta(seconds=number // 2)
    return event(
        type_, account_id=account_id, subject_id=uuid.uuid4(), version=1, summary=f"Event {number}", at=at, data={}
    )


def test_an_event_is_recorded_once(engine: Engine, account_id: uuid.UUID) -> None:
    first, second = _event(account_id), _event(account_id)
    with engine.begin() as connection:
        assert record(connection, [first, first]) == {first.event_id}
    with engine.begin() as connection:
        assert record(connection, [first, second]) == {second.event_id}
        assert record(connection, []) == set()
        assert len(list_activity(connection, account_id).entries) == 2


def test_events_of_an_account_that_is_gone_are_left_out(engine: Engine, account_id: uuid.UUID) -> None:
    kept = _event(account_id)
    with engine.begin() as connection:
        assert record(connection, [_event(uuid.uuid4()), kept]) == {kept.event_id}


def test_pages_cover_the_feed_once_newest_first(
    engine: Engine, account_id: uuid.UUID, make_account: Callable[[], uuid.UUID]
) -> None:
    events = [_event(account_id, number) for number in range(11)]
    with engine.begin() as connection:
        record(connection, [*events, _event(make_account())])
        seen = []
        cursor = None
        while True:
            page = list_activity(connection, account_id, limit=3, cursor=cursor)
            seen += page.entries
            cursor = page.next_cursor
            if cursor is None:
                break
    expected = sorted(events, key=lambda one: (one.occurred_at, one.event_id), reverse=True)
    assert [entry.event_id for entry in seen] == [one.event_id for one in expected]
    assert seen[0].summary == expected[0].summary


def test_the_feed_can_be_narrowed_to_types(engine: Engine, account_id: uuid.UUID) -> None:
    with engine.begin() as connection:
        record(
            connection, [_event(account_id, 1), _event(account_id, 2, "job.dead"), _event(account_id, 3, "job.dead")]
        )
        found = list_activity(connection, account_id, types=["job.dead", "job.succeeded"])
    assert [entry.type for entry in found.entries] == ["job.dead", "job.dead"]


@pytest.mark.parametrize("cursor", ["", "x", "äöü", "W10", "WyIyMDMwLTAxLTAxVDEyOjAwOjAwIiwgIngiXQ", "!!!"])
def test_a_damaged_cursor_is_refused(engine: Engine, account_id: uuid.UUID, cursor: str) -> None:
    with engine.begin() as connection, pytest.raises(InvalidInput, match="cursor"):
        list_activity(connection, account_id, cursor=cursor)
