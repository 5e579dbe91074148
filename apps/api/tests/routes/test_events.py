"""The activity feed over HTTP."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from taskhub_core.events import activity
from taskhub_core.events.schema import JOB_DEAD, TASK_CREATED, Event, event

START = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def happened(engine: Engine, account_id: uuid.UUID, *types: str) -> list[str]:
    """Records events, a second apart, as the consumer does; returns their ids."""
    events: list[Event] = [
        event(
            type_,
            account_id=account_id,
            subject_id=uuid.uuid4(),
            version=1,
            summary=f"number {number}",
            at=START + timedelta(seconds=number),
            data={},
        )
        for number, type_ in enumerate(types)
    ]
    with engine.begin() as connection:
        activity.record(connection, events)
    return [str(recorded.event_id) for recorded in events]


def test_the_feed_tells_what_happened_newest_first(user, user_id, engine):
    ids = happened(engine, user_id, TASK_CREATED, JOB_DEAD)
    items = user.get("/v1/events").json()["items"]
    assert [item["id"] for item in items] == ids[::-1]
    assert (items[1]["type"], items[1]["summary"]) == ("task.created", "number 0")
    assert items[1]["occurred_at"] == "2026-01-05T09:30:00Z"


def test_the_feed_is_filtered_by_types(user, user_id, engine):
    ids = happened(engine, user_id, TASK_CREATED, JOB_DEAD, TASK_CREATED)
    found = user.get("/v1/events", params={"type": ["job.dead"]}).json()["items"]
    assert [item["id"] for item in found] == [ids[1]]
    assert len(user.get("/v1/events", params={"type": ["job.dead", "task.created"]}).json()["items"]) == 3


def test_pages_of_the_feed_are_walked_over_once(user, user_id, engine):
    ids = happened(engine, user_id, *[TASK_CREATED] * 5)
    found: list[str] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        page = user.get("/v1/events", params=query).json()
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == ids[::-1]


def test_the_feed_of_another_account_is_its_own(user_id, client_of, engine):
    happened(engine, user_id, TASK_CREATED)
    assert client_of().get("/v1/events").json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("query", [{"type": "task.eaten"}, {"cursor": "x"}, {"cursor": "W10"}, {"limit": "0"}])
def test_a_query_that_makes_no_sense_is_refused(user, query):
    assert user.get("/v1/events", params=query).status_code == 422
