"""Documents, and the checksum that both sides must compute alike."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from taskhub_core.events.schema import TASK_CREATED, Event, event
from taskhub_core.search.document import BUCKET_SQL, CHECKSUM_SQL, bucket, checksum, from_event, live
from taskhub_core.tasks.status import TaskStatus
from taskhub_core.tasks.task import Task

_SQL = text(
    f"""
    SELECT {CHECKSUM_SQL} AS checksum, {BUCKET_SQL} AS bucket
    FROM (SELECT CAST(:id AS uuid), CAST(:version AS bigint)) AS tasks (id, version)
    """
)


@given(st.lists(st.tuples(st.uuids(), st.integers(1, 2**63 - 1)), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_python_and_postgresql_compute_the_same_checksum_and_range(
    engine: Engine, pairs: list[tuple[uuid.UUID, int]]
) -> None:
    with engine.connect() as connection:
        for task_id, version in pairs:
            row = connection.execute(_SQL, {"id": task_id, "version": version}).one()
            assert (row.checksum, row.bucket) == (checksum(task_id, version), bucket(task_id))


_PLAIN = Task(
    id=uuid.uuid4(),
    account_id=uuid.uuid4(),
    title="Rotate the keys",
    notes="",
    status=TaskStatus.OPEN,
    priority=0,
    due_at=None,
    remind=False,
    tags=(),
    external_id=None,
    version=1,
    created_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    updated_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    completed_at=None,
)
_FULL = replace(
    _PLAIN,
    notes="snow \u2603 and \U0001f680",
    status=TaskStatus.DONE,
    priority=4,
    due_at=datetime(2026, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
    remind=True,
    tags=("ops", "keys"),
    external_id="INC-1",
    version=7,
    completed_at=datetime(2026, 1, 3, tzinfo=UTC),
)


@pytest.mark.parametrize("task", [_PLAIN, _FULL], ids=["plain", "full"])
def test_the_index_gets_the_same_document_from_an_event_as_from_the_row(task: Task) -> None:
    sent = event(
        TASK_CREATED,
        account_id=task.account_id,
        subject_id=task.id,
        version=task.version,
        summary="Task created",
        at=task.updated_at,
        data=task.as_document(),
    )
    received = from_event(Event.model_validate(orjson.loads(sent.model_dump_json())))
    assert received is not None
    wanted = live(task)
    assert (received.task_id, received.version) == (wanted.task_id, wanted.version)
    assert orjson.loads(orjson.dumps(received.source)) == orjson.loads(orjson.dumps(wanted.source))
