"""The consumer's settings."""

from pydantic import Field

from taskhub_core.settings import DatabaseSettings, QueueSettings, SearchSettings, TelemetrySettings


class ConsumerSettings(DatabaseSettings, QueueSettings, SearchSettings, TelemetrySettings):
    """Everything the consumer can be told."""

    consumer_receivers: int = Field(default=3, ge=1, le=32, description="Threads that receive and process batches.")
    consumer_wait_seconds: int = Field(
        default=5,
        ge=0,
        le=20,
        description="How long one long poll waits for a message. A stop waits for the polls under way, so that no "
        "message is handed to a process that is gone: keep it well under the termination grace period.",
    )
    consumer_batch_size: int = Field(
        default=500,
        ge=1,
        le=1_000,
        description="How many events are processed together while there is a backlog: SQS gives ten at a time, and "
        "one write to the index and one transaction do for many. A single event waits for no other.",
    )
    consumer_visibility_seconds: int = Field(
        default=60,
        ge=3,
        le=43_200,
        description="How long a received message is hidden from others. Prolonged while it is worked on; after a "
        "kill it comes back within this time.",
    )
    consumer_hold_seconds: float = Field(
        default=30.0,
        ge=0,
        description="How long messages are kept while PostgreSQL or Elasticsearch is away, before they are given back. "
        "Shorter outages then cost no receive count.",
    )
    consumer_retry_seconds: int = Field(
        default=60,
        ge=0,
        le=43_200,
        description="An event that fails by itself comes again after 2, 4, 8 ... seconds, at most this many. After as "
        "many receives as the queue allows, SQS moves it to the DLQ.",
    )
    consumer_stop_seconds: float = Field(
        default=15.0,
        gt=0,
        description="How long a stop waits for the batches in work, beyond the long poll. Together they must stay "
        "under the termination grace period. What is cut off comes back by its visibility timeout.",
    )
    consumer_unit_seconds: float = Field(
        default=8.0, gt=0, description="How long PostgreSQL may take for one batch, repeats included."
    )
    consumer_index_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long Elasticsearch may take for one batch."
    )
    reconcile_grace_seconds: float = Field(
        default=5.0,
        ge=0,
        description="`reconcile` takes a difference for drift only if it is still there after so long: the time that "
        "an event takes from PostgreSQL to the index.",
    )
    reconcile_delivery_seconds: float = Field(
        default=120.0,
        ge=0,
        description="`reconcile --watch` leaves tasks alone that were changed less than so long ago: the time that an "
        "event may take, delivered a second time after its consumer died. Without --watch everything is repaired.",
    )
