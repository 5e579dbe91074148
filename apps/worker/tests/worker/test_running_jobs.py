"""What happens to jobs on a running platform: real dispatcher, Redis, worker and its child processes."""

import json
import os
import signal
import statistics
import time
import uuid
from collections.abc import Callable

import psutil
import structlog
from sqlalchemy import text
from worker_harness import Jobs, Platform

from taskhub_core.jobs import service
from taskhub_core.jobs.broker import TASK_NAME, make_celery
from taskhub_core.jobs.settings import JobSettings
from taskhub_core.jobs.submit import NewJob, submit
from taskhub_core.settings import BrokerSettings
from taskhub_local.parts.sqs import SqsPart
from taskhub_local.testing import wait_for


def test_a_submitted_job_runs_and_its_effect_is_committed_with_it(jobs: Jobs, platform: Platform) -> None:
    (job_id,) = jobs.submit("probe.note", text="hello")
    job = jobs.wait(job_id, "succeeded")
    assert (job.attempt, job.result, jobs.notes(job_id)) == (1, {"said": "hello"}, ["hello"])


def test_a_lone_job_waits_for_nobody(
    jobs: Jobs, platform: Platform, record_property: Callable[[str, object], None]
) -> None:
    query = text("SELECT EXTRACT(epoch FROM finished_at - created_at)::float8 FROM jobs WHERE id = :id")
    seconds = []
    for _ in range(20):
        (job_id,) = jobs.submit("probe.noop")
        jobs.wait(job_id, "succeeded")
        with jobs.engine.connect() as connection:
            seconds.append(connection.execute(query, {"id": job_id}).scalar_one())
    record_property("latency_p50_ms", round(statistics.median(seconds) * 1_000, 1))
    assert statistics.median(seconds) < 2


def test_a_backlog_is_done_once_each(jobs: Jobs, platform: Platform) -> None:
    ids = jobs.submit("probe.note", count=300)
    wait_for(lambda: jobs.count("succeeded") == 300, deadline_seconds=40, message="the backlog was not done")
    assert all(jobs.notes(job_id) == ["done"] for job_id in ids)


def test_the_end_of_an_announcing_job_reaches_sqs(jobs: Jobs, platform: Platform, sqs_server: SqsPart) -> None:
    (job_id,) = jobs.submit("probe.note", text="hello")
    client = sqs_server.client()
    url = client.get_queue_url(QueueName=platform.queue)["QueueUrl"]

    def find() -> dict[str, object] | None:
        messages = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60).get(
            "Messages", []
        )
        events = [json.loads(message["Body"]) for message in messages]
        return next((event for event in events if event["subject_id"] == str(job_id)), None)

    event = wait_for(find, deadline_seconds=30, message="no event in SQS")
    client.close()
    assert event is not None
    assert (event["type"], event["subject_version"]) == ("job.succeeded", 1)


def test_a_second_delivery_is_refused(jobs: Jobs, platform: Platform, redis_url: str) -> None:
    (job_id,) = jobs.submit("probe.note")
    jobs.wait(job_id, "succeeded")
    before = platform.worker.metric("taskhub_duplicates_refused_total") or 0
    app = make_celery(BrokerSettings(redis_url=redis_url), JobSettings())
    for _ in range(3):
        app.send_task(TASK_NAME, args=[[str(job_id)]])
    app.close()
    wait_for(
        lambda: (platform.worker.metric("taskhub_duplicates_refused_total") or 0) >= before + 3,
        message="the duplicates were not counted",
    )
    assert jobs.notes(job_id) == ["done"]


def test_a_job_that_kills_its_process_costs_the_others_of_its_message_nothing(
    jobs: Jobs, platform: Platform, redis_url: str
) -> None:
    with jobs.engine.begin() as connection:  # marked with the commit, so that the dispatcher leaves them to this test
        new = [
            NewJob(account_id=jobs.account_id, kind=kind, args={}) for kind in ("probe.poison", *["probe.alone"] * 3)
        ]
        submit(connection, new)
        connection.execute(
            text("UPDATE jobs SET dispatched_at = now() WHERE id = ANY (:ids)"), {"ids": [j.id for j in new]}
        )
    app = make_celery(BrokerSettings(redis_url=redis_url), JobSettings())
    app.send_task(TASK_NAME, args=[[str(job.id) for job in new]])
    app.close()
    for job in new[1:]:
        assert jobs.wait(job.id, "succeeded").attempt == 1
    jobs.wait(new[0].id, "dead", seconds=60)


def test_one_bad_effect_of_a_batch_fails_alone(jobs: Jobs, platform: Platform) -> None:
    good = jobs.submit("probe.note", count=4)
    (bad,) = jobs.submit("probe.bad_effect")
    assert jobs.wait(bad, "dead").error["type"] == "IntegrityError"
    for job_id in good:
        jobs.wait(job_id, "succeeded")
    assert jobs.outcomes(bad) == ["failed", "failed", "failed"]


def test_failures_are_retried_until_the_attempts_run_out(jobs: Jobs, platform: Platform) -> None:
    (job_id,) = jobs.submit("probe.fail")
    job = jobs.wait(job_id, "dead")
    assert (job.attempt, jobs.outcomes(job_id)) == (3, ["failed"] * 3)
    assert set(job.error) == {"type", "message", "permanent", "at"}
    assert "hunter2" not in json.dumps(job.error)
    assert "hunter2" not in platform.worker.output.read_text()


def test_a_permanent_error_goes_straight_to_dead(jobs: Jobs, platform: Platform) -> None:
    (job_id,) = jobs.submit("probe.fail", permanent=True)
    job = jobs.wait(job_id, "dead")
    assert (job.attempt, job.error["type"], job.error["permanent"]) == (1, "PermanentError", True)


def test_arguments_that_do_not_fit_the_kind_are_a_permanent_error(jobs: Jobs, platform: Platform) -> None:
    (job_id,) = jobs.submit("probe.sleep", seconds="long", extra="s3cret")
    job = jobs.wait(job_id, "dead")
    assert (job.attempt, job.error["permanent"]) == (1, True)
    assert "s3cret" not in job.error["message"]


def test_the_soft_limit_breaks_into_a_running_statement(jobs: Jobs, platform: Platform) -> None:
    (job_id,) = jobs.submit("probe.slow")
    job = jobs.wait(job_id, "dead")
    assert job.error["type"] == "SoftLimitExceeded"
    assert (job.finished_at - job.started_at).total_seconds() < 3, "it waited for the statement's end"


def test_past_the_hard_limit_the_process_is_replaced(jobs: Jobs, platform: Platform) -> None:
    (job_id,) = jobs.submit("probe.stubborn")
    process = jobs.process_of(job_id)
    job = jobs.wait(job_id, "dead")
    assert job.error["type"] == "HardLimitExceeded"
    assert jobs.outcomes(job_id) == ["failed"]
    wait_for(lambda: not psutil.pid_exists(process), message="the stubborn process is still there")
    _assert_still_works(jobs)


def test_a_job_whose_process_is_killed_is_finished_by_another(jobs: Jobs, platform: Platform) -> None:
    (job_id,) = jobs.submit("probe.sleep", seconds=2)
    process = jobs.process_of(job_id)
    os.kill(process, signal.SIGKILL)
    job = jobs.wait(job_id, "succeeded", seconds=30)
    assert (job.attempt, jobs.outcomes(job_id)) == (2, ["lost"])
    assert jobs.notes(job_id) == ["began", "began", "finished"]
    assert jobs.process_of(job_id, "finished") != process


def test_a_job_that_kills_its_worker_ends_dead(jobs: Jobs, platform: Platform) -> None:
    (job_id,) = jobs.submit("probe.poison")
    job = jobs.wait(job_id, "dead", seconds=60)
    assert (job.attempt, job.error["type"]) == (3, "LeaseExpired")
    assert jobs.outcomes(job_id) == ["lost"] * 3
    _assert_still_works(jobs)


def test_a_worker_frozen_past_its_lease_writes_nothing_when_it_wakes(jobs: Jobs, platform: Platform) -> None:
    (job_id,) = jobs.submit("probe.steps", seconds=3)
    process = jobs.process_of(job_id, "step 2")
    os.kill(process, signal.SIGSTOP)
    try:
        job = jobs.wait(job_id, "succeeded", seconds=40)
        notes = jobs.notes(job_id)
    finally:
        os.kill(process, signal.SIGCONT)
    assert job.attempt == 2
    assert sorted(notes) == sorted({f"step {number}" for number in range(10)}), "a step happened twice, or never"
    wait_for(
        lambda: [line for line in platform.worker.logged("lease lost") if line["job_id"] == str(job_id)],
        message="the late worker did not notice",
    )
    assert jobs.notes(job_id) == notes
    assert jobs.get(job_id) == job


def test_a_running_job_stops_when_it_is_cancelled(jobs: Jobs, platform: Platform) -> None:
    (job_id,) = jobs.submit("probe.sleep", seconds=20, cooperative=True)
    jobs.process_of(job_id)
    with jobs.engine.begin() as connection:
        asked = service.cancel(connection, job_id, account_id=jobs.account_id)
    assert asked is service.Cancellation.REQUESTED
    jobs.wait(job_id, "cancelled", seconds=10)
    assert jobs.notes(job_id) == ["began"]


def test_a_concurrency_limit_holds_over_all_processes(jobs: Jobs, platform: Platform) -> None:
    ids = jobs.submit("probe.limited", count=6, seconds=0.2)
    for job_id in ids:
        jobs.wait(job_id, "succeeded", seconds=30)
    overlaps = """
        SELECT max(n) FROM (
            SELECT (SELECT count(*) FROM jobs b WHERE b.kind = a.kind AND b.started_at <= a.started_at
                    AND b.finished_at > a.started_at) AS n
            FROM jobs a WHERE a.kind = 'probe.limited') s
    """
    with jobs.engine.connect() as connection:
        assert connection.execute(text(overlaps)).scalar_one() <= 2


def test_job_ids_and_request_ids_reach_the_last_log_line(jobs: Jobs, platform: Platform) -> None:
    with structlog.contextvars.bound_contextvars(request_id="req-1"):
        (job_id,) = jobs.submit("probe.note")
    jobs.wait(job_id, "succeeded")

    def line() -> dict[str, object] | None:
        lines = platform.worker.logged("job succeeded")
        return next((one for one in lines if one["job_id"] == str(job_id)), None)

    found = wait_for(line, message="no line about the job")
    assert found is not None
    assert (found["request_id"], found["kind"], found["attempt"]) == ("req-1", "probe.note", 1)


def test_every_log_line_is_json_and_counts_are_scraped_from_every_process(jobs: Jobs, platform: Platform) -> None:
    (job_id,) = jobs.submit("probe.note")
    jobs.wait(job_id, "succeeded")
    assert platform.worker.lines()
    assert platform.dispatcher.lines()
    series = 'taskhub_jobs_finished_total{kind="probe.note",outcome="succeeded"}'
    wait_for(lambda: (platform.worker.metric(series) or 0) >= 1, message="the children's counters are not scraped")
    started = platform.worker.metric("process_start_time_seconds")
    assert started is not None, "a restart could not be seen"
    assert 0 < time.time() - started < 3600


def _assert_still_works(jobs: Jobs) -> None:
    ids: list[uuid.UUID] = jobs.submit("probe.note", count=4)
    for job_id in ids:
        jobs.wait(job_id, "succeeded", seconds=30)
