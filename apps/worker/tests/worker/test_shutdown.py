"""SIGTERM: short jobs end, long ones go back, and the worker is gone in time with status 0."""

import time
from pathlib import Path

import redis
from worker_harness import Jobs, Start

from taskhub_local.testing import wait_for


def test_sigterm_lets_short_jobs_end_and_gives_the_others_back(jobs: Jobs, start: Start, clean_redis: str) -> None:
    dispatcher = start("dispatcher")
    worker = start("worker", worker_processes=3)
    (short,) = jobs.submit("probe.sleep", seconds=1.0)
    (long,) = jobs.submit("probe.sleep", seconds=60)
    (deaf,) = jobs.submit("probe.deaf")
    for job_id in (short, long, deaf):
        jobs.process_of(job_id)
    asked = time.monotonic()
    assert worker.stop(seconds=20) == 0
    assert time.monotonic() - asked < 9, "longer than soft_shutdown_seconds"
    assert jobs.get(short).state == "succeeded"
    for job_id in (long, deaf):
        given_back = jobs.get(job_id)
        assert (given_back.state, given_back.attempt, given_back.tries) == ("queued", 1, 0)
        assert jobs.outcomes(job_id) == ["returned"]
    assert redis.Redis.from_url(clean_redis).hlen("unacked") == 0, "messages were left unacknowledged"
    assert worker.lines()
    assert dispatcher.stop() == 0


def test_a_job_goes_on_where_a_stopped_and_then_a_killed_worker_left_it(jobs: Jobs, start: Start) -> None:
    start("dispatcher")
    first = start("worker", worker_processes=1)
    (job_id,) = jobs.submit("probe.steps", seconds=10)
    jobs.process_of(job_id, "step 0")
    waiting = jobs.submit("probe.note", count=10)
    second = start("worker", worker_processes=1)
    assert first.stop(seconds=20) == 0
    wait_for(lambda: jobs.get(job_id).attempt == 2, deadline_seconds=30, message="the second worker did not take over")
    third = start("worker", worker_processes=1)
    wait_for(lambda: len(jobs.notes(job_id)) >= 6, deadline_seconds=30, message="the second worker made no step")
    second.kill()
    job = jobs.wait(job_id, "succeeded", seconds=40)
    assert (job.attempt, job.tries, jobs.outcomes(job_id)) == (3, 2, ["returned", "lost"])
    assert jobs.notes(job_id) == [f"step {number}" for number in range(10)]
    for one in waiting:
        jobs.wait(one, "succeeded")
        assert jobs.notes(one) == ["done"]
    assert third.child is not None
    assert third.child.poll() is None


def test_a_worker_without_a_broker_is_alive_and_stops(jobs: Jobs, start: Start, tmp_path: Path) -> None:
    worker = start("worker", redis_url="redis://127.0.0.1:1/0", stamp_dir=tmp_path / "stamps")
    worker.wait_live()
    wait_for(
        lambda: any("refused" in str(line) for line in worker.lines()), deadline_seconds=30, message="no word of Redis"
    )
    stamp = tmp_path / "stamps" / "worker.stamp"
    before = stamp.stat().st_mtime_ns
    wait_for(lambda: stamp.stat().st_mtime_ns > before, message="trying to reconnect leaves no stamp")
    assert worker.stop(seconds=15) == 0
