"""Submitting one job: the row that many would get, its answer without asking again, and the call to the dispatcher."""

import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Engine, make_url

from taskhub_core.errors import Conflict
from taskhub_core.jobs import service
from taskhub_core.jobs.notify import CHANNEL
from taskhub_core.jobs.states import JobState
from taskhub_core.jobs.submit import NewJob, submit
from taskhub_core.telemetry.context import bound

LATER = datetime(2100, 1, 1, tzinfo=UTC)
EARLIER = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("run_at", "state"), [(None, JobState.QUEUED), (EARLIER, JobState.QUEUED), (LATER, JobState.SCHEDULED)]
)
def test_a_submitted_job_is_what_one_gets_when_asking_for_it(
    engine: Engine, account_id: uuid.UUID, run_at: datetime | None, state: JobState
) -> None:
    new = NewJob(
        account_id=account_id, kind="engine.plain", args={"text": "50 %s", "list": [1]}, run_at=run_at, priority=7
    )
    with engine.begin() as connection, bound(request_id="r-1"):
        job = service.submit_and_get(connection, new)
        assert service.get(connection, new.id, account_id=account_id) == job
    assert (job.state, job.max_attempts, job.context) == (state, 3, {"request_id": "r-1"})
    assert job.run_at == (LATER if run_at == LATER else job.created_at)


def test_a_repeated_submission_is_answered_and_a_reused_id_refused(engine: Engine, account_id: uuid.UUID) -> None:
    new = NewJob(account_id=account_id, kind="engine.plain", args={"a": 1})
    with engine.begin() as connection:
        first = service.submit_and_get(connection, new)
        assert service.submit_and_get(connection, new) == first
        assert submit(connection, [new]) == set()
        with pytest.raises(Conflict):
            service.submit_and_get(
                connection, NewJob(id=new.id, account_id=account_id, kind="engine.plain", args={"a": 2})
            )


def test_one_submitted_job_wakes_the_dispatcher_once_it_is_committed(
    engine: Engine, account_id: uuid.UUID, database_url: str
) -> None:
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        with engine.begin() as connection:
            service.submit_and_get(connection, NewJob(account_id=account_id, kind="engine.plain", args={}))
            assert list(listener.notifies(timeout=0.1)) == []
        assert [notice.channel for notice in listener.notifies(timeout=10, stop_after=1)] == [CHANNEL]
