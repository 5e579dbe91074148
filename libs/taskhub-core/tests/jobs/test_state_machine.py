"""Any interleaving of what clients, dispatchers and workers do leaves every job whole."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Engine, text

from taskhub_core.errors import Conflict
from taskhub_core.ids import new_id
from taskhub_core.jobs import dispatch, lease, service
from taskhub_core.jobs.lease import Completion, Fence
from taskhub_core.jobs.registry import registry
from taskhub_core.jobs.states import NEXT, TERMINAL, JobState
from taskhub_core.jobs.submit import NewJob, submit

KINDS = ("engine.plain", "engine.limited")
LIMIT = 2
MOST_JOBS = 5
"""Few, so that many things happen to each."""
EXPIRE_ALL = "UPDATE jobs SET lease_expires_at = now() - interval '1 s' WHERE state = 'running'"
ERROR = {"type": "Trouble", "message": "it failed", "permanent": False}


@dataclass(frozen=True)
class Seen:
    """A job's row as it was after the last step."""

    kind: str
    state: JobState
    attempt: int
    returned: int
    max_attempts: int
    marked: bool
    leased: bool
    result: Any
    finished_at: datetime | None


class JobLife(RuleBasedStateMachine):
    """The rules are what can happen; fences stay in `fences` for ever, so late workers keep trying."""

    engine: Engine

    @initialize()
    def begin(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(text("TRUNCATE accounts, engine_effects CASCADE"))
            self.account_id = new_id()
            connection.execute(
                text("INSERT INTO accounts (id, email, password_hash) VALUES (:id, 'a@example.com', 'x')"),
                {"id": self.account_id},
            )
        self.jobs: list[uuid.UUID] = []
        self.fences: list[Fence] = []
        self.seen: dict[uuid.UUID, Seen] = {}

    # What clients do

    @precondition(lambda self: len(self.jobs) < MOST_JOBS)
    @rule(kind=st.sampled_from(KINDS), later=st.booleans(), count=st.integers(1, 3))
    def submit(self, kind: str, later: bool, count: int) -> None:
        run_at = datetime.now(UTC) + timedelta(days=1) if later else None
        new = [NewJob(account_id=self.account_id, kind=kind, args={}, run_at=run_at) for _ in range(count)]
        with self.engine.begin() as connection:
            assert submit(connection, new) == {job.id for job in new}
            assert submit(connection, new) == set(), "the same submission again made new jobs"
        self.jobs += [job.id for job in new]

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self.jobs))
        before = self.seen[job_id].state
        with self.engine.begin() as connection:
            try:
                did = service.cancel(connection, job_id, account_id=self.account_id)
            except Conflict:
                assert before in {JobState.SUCCEEDED, JobState.DEAD}
            else:
                assert (did is service.Cancellation.REQUESTED) == (before is JobState.RUNNING)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self.jobs))
        before = self.seen[job_id].state
        with self.engine.begin() as connection:
            try:
                again = service.retry(connection, job_id, account_id=self.account_id)
            except Conflict:
                assert before not in {JobState.DEAD, JobState.CANCELLED}
                return
        assert (again.retry_of, again.state, again.attempt) == (job_id, JobState.QUEUED, 0)
        self.jobs.append(again.id)

    # What dispatchers do

    @rule()
    def time_passes(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET run_at = now() - interval '1 s' WHERE state = 'scheduled'"))

    @rule()
    def promote(self) -> None:
        with self.engine.begin() as connection:
            dispatch.promote_due(connection, limit=100)

    @rule(window=st.integers(1, 6))
    def mark(self, window: int) -> None:
        with self.engine.begin() as connection:
            before = self._marked(connection)
            marked = dispatch.mark_for_dispatch(connection, registry, window=window)
        limited = [job for job in marked if job.kind == "engine.limited"]
        assert len(marked) - len(limited) <= max(0, window - before)
        assert {self.seen[job.job_id].state for job in marked} <= {JobState.QUEUED}

    @rule()
    def publish_failed(self) -> None:
        with self.engine.begin() as connection:
            dispatch.unmark(connection, dispatch.find_lost(connection, older_than_seconds=-1.0, limit=2))

    @rule()
    def broker_wiped(self) -> None:
        with self.engine.begin() as connection:
            dispatch.unmark_before(connection, datetime.now(UTC) + timedelta(hours=1))

    @rule()
    def rescue(self) -> None:
        with self.engine.begin() as connection:
            for job in dispatch.rescue_expired(connection, limit=100):
                assert self.seen[job.job_id].state is JobState.RUNNING

    # What workers do

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        ids = data.draw(st.lists(st.sampled_from(self.jobs), min_size=1, max_size=4))
        with self.engine.begin() as connection:
            claimed = lease.claim(connection, ids, worker="w", lease_seconds=1_000)
        for job in claimed:
            before = self.seen[job.fence.job_id]
            assert (before.state, before.marked) == (JobState.QUEUED, True)
            assert job.fence.attempt == before.attempt + 1
        self.fences += [job.fence for job in claimed]

    @precondition(lambda self: self.fences)
    @rule(data=st.data())
    def lease_expires(self, data: st.DataObject) -> None:
        fence = data.draw(st.sampled_from(self.fences))
        with self.engine.begin() as connection:
            connection.execute(
                text(
                    "UPDATE jobs SET lease_expires_at = now() - interval '1 s' "
                    "WHERE id = :id AND attempt = :attempt AND state = 'running'"
                ),
                {"id": fence.job_id, "attempt": fence.attempt},
            )

    @precondition(lambda self: self.fences)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        fences = data.draw(st.lists(st.sampled_from(self.fences), min_size=1, max_size=4, unique=True))
        with self.engine.begin() as connection:
            renewed = lease.renew(connection, fences, lease_seconds=1_000)
        assert renewed.held == {fence for fence in fences if self._holds(fence)}
        assert renewed.cancel_requested <= renewed.held

    @precondition(lambda self: self.fences)
    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        fence = data.draw(st.sampled_from(self.fences))
        with self.engine.begin() as connection:
            saved = lease.save_step(
                connection, fence, checkpoint={"attempt": fence.attempt}, progress=None, lease_seconds=1_000
            )
        assert saved == self._holds(fence)

    @precondition(lambda self: self.fences)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        fences = data.draw(st.lists(st.sampled_from(self.fences), min_size=1, max_size=4, unique=True))
        with self.engine.begin() as connection:
            held = lease.complete(connection, [Completion(fence, {"by": fence.attempt}) for fence in fences])
            for fence in held:
                connection.execute(text("INSERT INTO engine_effects VALUES (:id)"), {"id": fence.job_id})
        assert held == {fence for fence in fences if self._holds(fence)}

    @precondition(lambda self: self.fences)
    @rule(data=st.data(), permanent=st.booleans(), delay=st.sampled_from([0.0, 60.0]))
    def fail(self, data: st.DataObject, permanent: bool, delay: float) -> None:
        fence = data.draw(st.sampled_from(self.fences))
        with self.engine.begin() as connection:
            state = lease.fail(connection, fence, error=ERROR, permanent=permanent, delay_seconds=delay)
        assert (state is not None) == self._holds(fence)
        if permanent and state is not None:
            assert state is JobState.DEAD

    @precondition(lambda self: self.fences)
    @rule(data=st.data())
    def cancelled_by_handler(self, data: st.DataObject) -> None:
        fence = data.draw(st.sampled_from(self.fences))
        with self.engine.begin() as connection:
            assert lease.cancel(connection, fence) == self._holds(fence)

    @precondition(lambda self: self.fences)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        fences = data.draw(st.lists(st.sampled_from(self.fences), min_size=1, max_size=4, unique=True))
        with self.engine.begin() as connection:
            given = lease.give_back(connection, fences)
        assert given == {fence for fence in fences if self._holds(fence)}

    # Roads that single steps seldom find

    @precondition(lambda self: self.jobs)
    @rule()
    def everything_due_is_claimed(self) -> None:
        for step in (self.time_passes, self.promote):
            step()
            self.every_job_is_whole()
        with self.engine.begin() as connection:
            marked = dispatch.mark_for_dispatch(connection, registry, window=100)
        self.every_job_is_whole()
        with self.engine.begin() as connection:
            claimed = lease.claim(connection, [job.job_id for job in marked], worker="w", lease_seconds=1_000)
        self.fences += [job.fence for job in claimed]

    @precondition(lambda self: self.fences)
    @rule()
    def every_worker_freezes(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(EXPIRE_ALL))
        self.every_job_is_whole()
        self.rescue()
        self.every_job_is_whole()
        self.everything_due_is_claimed()

    # What must hold after every step

    @invariant()
    def every_job_is_whole(self) -> None:
        if not hasattr(self, "seen"):
            return
        with self.engine.begin() as connection:
            now = self._look(connection)
            effects = dict(connection.execute(text("SELECT job_id, count(*) FROM engine_effects GROUP BY 1")).all())
        assert set(now) == set(self.jobs), "a job disappeared"
        for job_id, job in now.items():
            before = self.seen.get(job_id)
            if before is not None and before.state in TERMINAL:
                assert job == before, "a finished job changed"
            if before is not None and before.state is not job.state:
                assert job.state in NEXT[before.state]
            assert job.attempt - job.returned <= job.max_attempts, "more attempts than allowed"
            assert effects.get(job_id, 0) == (1 if job.state is JobState.SUCCEEDED else 0)
            assert job.leased == (job.state is JobState.RUNNING)
        busy = [
            job
            for job in now.values()
            if job.kind == "engine.limited"
            and (job.state is JobState.RUNNING or (job.state is JobState.QUEUED and job.marked))
        ]
        assert len(busy) <= LIMIT, "more of a limited kind than its limit"
        self.seen = now

    def teardown(self) -> None:
        """No job is lost: the dispatcher's queries and a willing worker bring every one to an end."""
        if not hasattr(self, "jobs"):
            return
        for _ in range(len(self.jobs) + 2):
            with self.engine.begin() as connection:
                connection.execute(text(EXPIRE_ALL))
                connection.execute(text("UPDATE jobs SET run_at = now() - interval '1 s' WHERE state = 'scheduled'"))
            with self.engine.begin() as connection:
                dispatch.rescue_expired(connection, limit=1_000)
                dispatch.promote_due(connection, limit=1_000)
                dispatch.unmark_before(connection, datetime.now(UTC) + timedelta(hours=1))
            with self.engine.begin() as connection:
                ids = [job.job_id for job in dispatch.mark_for_dispatch(connection, registry, window=1_000)]
                claimed = lease.claim(connection, ids, worker="last", lease_seconds=1_000)
                lease.complete(connection, [Completion(job.fence) for job in claimed])
        with self.engine.connect() as connection:
            left = {job_id: job.state for job_id, job in self._look(connection).items() if job.state not in TERMINAL}
        assert left == {}, "jobs that nothing brings to an end"

    def _holds(self, fence: Fence) -> bool:
        job = self.seen[fence.job_id]
        return job.state is JobState.RUNNING and job.attempt == fence.attempt

    @staticmethod
    def _marked(connection: Connection) -> int:
        query = text("SELECT count(*) FROM jobs WHERE state = 'queued' AND dispatched_at IS NOT NULL")
        return int(connection.execute(query).scalar_one())

    @staticmethod
    def _look(connection: Connection) -> dict[uuid.UUID, Seen]:
        rows = connection.execute(
            text(
                "SELECT id, kind, state, attempt, returned, max_attempts, dispatched_at IS NOT NULL AS marked, "
                "lease_expires_at IS NOT NULL AS leased, result, finished_at FROM jobs"
            )
        )
        return {
            row.id: Seen(
                row.kind,
                JobState(row.state),
                row.attempt,
                row.returned,
                row.max_attempts,
                row.marked,
                row.leased,
                row.result,
                row.finished_at,
            )
            for row in rows
        }


@pytest.mark.timeout(180)
def test_any_interleaving_leaves_every_job_whole(engine: Engine, clean_database: str) -> None:
    class OnThisDatabase(JobLife):
        pass

    OnThisDatabase.engine = engine
    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=20, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
