"""From a submitted row to a finished job, through the real dispatcher, Redis and worker."""

from worker_harness import Jobs, Start


def test_a_submitted_job_runs_and_its_effect_is_committed_with_it(jobs: Jobs, start: Start) -> None:
    start("dispatcher")
    worker = start("worker")
    (job_id,) = jobs.submit("probe.note", text="hello")
    job = jobs.wait(job_id, "succeeded")
    assert (job.attempt, job.result, jobs.notes(job_id)) == (1, {"said": "hello"}, ["hello"])
    assert worker.stop() == 0
