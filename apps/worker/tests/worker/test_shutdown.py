"""SIGTERM: short jobs end, long ones go back, and the worker is gone in time with status 0."""

import signal
import time

import redis
from worker_harness import Jobs, Start

from taskhub_local.testing import wait_for


def test_sigterm_lets_short_jobs_end_and_gives_long_ones_back(jobs: Jobs, start: Start, clean_redis: str) -> None:
    dispatcher = start("dispatcher")
    worker = start("worker")
    (short,) = jobs.submit("probe.sleep", seconds=1.0)
    (long,) = jobs.submit("probe.sleep", seconds=60)
    jobs.process_of(short)
    jobs.process_of(long)
    asked = time.monotonic()
    assert worker.stop(seconds=20) == 0
    assert time.monotonic() - asked < 9, "longer than soft_shutdown_seconds"
    assert jobs.get(short).state == "succeeded"
    given_back = jobs.get(long)
    assert (given_back.state, given_back.attempt, given_back.tries) == ("queued", 1, 0)
    assert jobs.outcomes(long) == ["returned"]
    unacked = redis.Redis.from_url(clean_redis).hlen("unacked")
    assert unacked == 0, "messages were left unacknowledged"
    assert worker.lines()
    assert dispatcher.stop() == 0


def test_a_handler_that_ignores_sigterm_cannot_hold_the_worker(jobs: Jobs, start: Start) -> None:
    start("dispatcher")
    worker = start("worker", shutdown_grace_seconds=0.2)
    (job_id,) = jobs.submit("probe.deaf")
    jobs.process_of(job_id)
    assert worker.stop(seconds=20) == 0
    job = jobs.get(job_id)
    assert (job.state, job.tries, jobs.outcomes(job_id)) == ("queued", 0, ["returned"])


def test_a_second_worker_takes_over_what_the_first_gave_back(jobs: Jobs, start: Start) -> None:
    start("dispatcher")
    first = start("worker", worker_processes=1)
    (job_id,) = jobs.submit("probe.steps", seconds=4)
    jobs.process_of(job_id, "step 1")
    waiting = jobs.submit("probe.note", count=10)
    second = start("worker")
    assert first.stop(seconds=20) == 0
    job = jobs.wait(job_id, "succeeded", seconds=30)
    assert (job.tries, jobs.notes(job_id)) == (1, [f"step {number}" for number in range(10)])
    for one in waiting:
        jobs.wait(one, "succeeded")
        assert jobs.notes(one) == ["done"]
    assert second.child is not None
    assert second.child.poll() is None


def test_a_worker_stops_while_the_broker_is_away(jobs: Jobs, start: Start) -> None:
    worker = start("worker", redis_url="redis://127.0.0.1:1/0")
    wait_for(lambda: worker.get("/livez")[0] == 200, deadline_seconds=30)
    wait_for(
        lambda: any("refused" in str(line) for line in worker.lines()), deadline_seconds=30, message="no word of Redis"
    )
    worker.signal(signal.SIGTERM)
    assert worker.stop(seconds=15) == 0
