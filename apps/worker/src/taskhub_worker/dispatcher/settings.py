"""Settings of the dispatcher."""

from collections.abc import Sequence

from pydantic import Field

from taskhub_core.jobs.settings import JobSettings
from taskhub_core.settings import BrokerSettings, DatabaseSettings, QueueSettings, TelemetrySettings


class DispatcherSettings(JobSettings, DatabaseSettings, BrokerSettings, QueueSettings, TelemetrySettings):
    """Everything that can be set about the dispatcher."""

    dispatch_window: int = Field(
        default=1_000,
        ge=1,
        description="How many job ids of one queue are with the broker at a time; the rest wait in PostgreSQL.",
    )
    job_queues: dict[str, str] = Field(
        default={},
        description="Job kinds that have a queue of their own, as a JSON object, kind to queue. They are run only by "
        "workers whose TASKHUB_JOB_QUEUE_NAME is that queue.",
    )
    dispatch_poll_seconds: float = Field(
        default=0.5, gt=0, description="How often to look for due jobs when nothing wakes the dispatcher."
    )
    dispatch_refill_seconds: float = Field(
        default=0.05, gt=0, description="How soon to look again after a pass that filled the window."
    )
    dispatch_run_seconds: float = Field(
        default=0.2,
        ge=0,
        description="Under a backlog, jobs that are usually short share a message: as many as should be done in this "
        "time, one after the other. 0: every job that is not of a batched kind travels alone.",
    )
    outbox_poll_seconds: float = Field(default=0.2, gt=0, description="How often to look for events to send.")
    outbox_batch_size: int = Field(
        default=100, ge=1, le=1_000, description="How many events one transaction takes from the outbox."
    )
    outbox_senders: int = Field(default=4, ge=1, description="How many requests to SQS are on their way at a time.")
    rescue_poll_seconds: float = Field(default=1.0, gt=0, description="How often to look for expired leases.")
    lost_poll_seconds: float = Field(
        default=1.0, gt=0, description="How often to look whether the broker was wiped or lost messages."
    )
    lost_after_seconds: float = Field(
        default=2.0,
        gt=0,
        description="A job that was marked for the broker this long ago, and that the broker does not have, is lost: "
        "also one whose dispatcher died between the mark and the message.",
    )
    republish_after_seconds: float = Field(
        default=15.0,
        gt=0,
        description="A job whose message a worker took this long ago without claiming it is published again.",
    )
    gauges_seconds: float = Field(default=5.0, gt=0, description="How often to measure queues and outbox.")
    retention_poll_seconds: float = Field(default=60.0, gt=0, description="How often to look for rows to delete.")
    retention_batch_size: int = Field(default=500, ge=1, description="How many rows one deleting statement takes.")
    keep_finished_jobs_days: float = Field(
        default=7.0, gt=0, description="How long succeeded and cancelled jobs are kept."
    )
    keep_dead_jobs_days: float = Field(default=30.0, gt=0, description="How long dead jobs are kept.")
    keep_tombstones_days: float = Field(
        default=30.0,
        gt=0,
        description="How long a deleted task's tombstone is kept. Longer than the index could be behind.",
    )
    keep_activity_days: float = Field(default=90.0, gt=0, description="How long the activity feed reaches back.")
    keep_refresh_tokens_days: float = Field(
        default=1.0,
        gt=0,
        description="How long a refresh token is kept after it expired or was revoked. Used ones are kept until they "
        "expire, so that their reuse is noticed.",
    )

    @property
    def job_queue_names(self) -> Sequence[str]:
        """Every queue of jobs."""
        return tuple(dict.fromkeys([self.job_queue_name, *self.job_queues.values()]))
