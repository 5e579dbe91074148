"""Settings of the worker."""

from pathlib import Path

from pydantic import Field

from taskhub_core.jobs.settings import JobSettings
from taskhub_core.settings import (
    BrokerSettings,
    CoreSettings,
    DatabaseSettings,
    MailSettings,
    SearchSettings,
    TelemetrySettings,
    WebhookSettings,
)


class StampSettings(CoreSettings):
    """Where the worker leaves files. Read on its own, before anything that must know the folder is imported."""

    stamp_dir: Path | None = Field(
        default=None,
        description="The worker's folder for worker.stamp, which its loop touches every second (an exec probe may look "
        "at the file's age), and for the metrics of its processes. One worker a folder. Default: a temporary one.",
    )


class WorkerSettings(
    StampSettings,
    JobSettings,
    DatabaseSettings,
    BrokerSettings,
    SearchSettings,
    MailSettings,
    WebhookSettings,
    TelemetrySettings,
):
    """Everything that can be set about the worker."""

    worker_processes: int = Field(default=2, ge=1, description="How many jobs one worker runs at a time.")
    worker_flush_seconds: float = Field(
        default=0.5, ge=0, description="Within a batch, a finished job's completion waits no longer than this."
    )
    worker_database_limit_seconds: float = Field(
        default=8.0, gt=0, description="A transaction of the engine itself that takes longer loses its connection."
    )
    broker_retry_seconds: int = Field(
        default=2, ge=1, description="How long the worker waits between attempts to reach the broker."
    )
