"""How many jobs share a message."""

import pytest
from sqlalchemy import Engine, text
from worker_harness import Jobs

from taskhub_core.jobs.registry import registry
from taskhub_worker.dispatcher.runs import RunSizes


def _finished(jobs: Jobs, kind: str, *, seconds: float) -> None:
    arguments = {"seconds": 0.1} if kind == "probe.limited" else {}
    ids = jobs.submit(kind, count=3, **arguments)
    with jobs.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE jobs SET state = 'succeeded', started_at = now(),"
                " finished_at = now() + make_interval(secs => :seconds) WHERE id = ANY (:ids)"
            ),
            {"ids": ids, "seconds": seconds},
        )


@pytest.mark.parametrize(("seconds", "size"), [(0.0, 32), (0.02, 10), (0.5, 1)])
def test_the_shorter_jobs_are_the_more_share_a_message(
    jobs: Jobs, loop_engine: Engine, seconds: float, size: int
) -> None:
    _finished(jobs, "probe.alone", seconds=seconds)
    with loop_engine.begin() as connection:
        assert RunSizes(registry, run_seconds=0.2).now(connection, 100) == {"probe.alone": size}


def test_without_a_backlog_nobody_looks(jobs: Jobs, loop_engine: Engine) -> None:
    _finished(jobs, "probe.alone", seconds=0)
    with loop_engine.begin() as connection:
        assert RunSizes(registry, run_seconds=0.2).now(connection, 2) == {}


def test_jobs_of_a_limited_kind_travel_alone(jobs: Jobs, loop_engine: Engine) -> None:
    _finished(jobs, "probe.limited", seconds=0)
    with loop_engine.begin() as connection:
        assert RunSizes(registry, run_seconds=0.2).now(connection, 100) == {}
