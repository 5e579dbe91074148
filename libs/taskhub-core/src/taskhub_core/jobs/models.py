"""Tables of jobs: the state machine's rows, every failed attempt, and the lines an import turned down."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from taskhub_core.database.schema import metadata

# Finished jobs are in none of the partial indexes that the hot paths read, so they cost them nothing.
_WAITING = text("state = 'queued' AND dispatched_at IS NULL")
_DISPATCHED = text("state = 'queued' AND dispatched_at IS NOT NULL")
_RUNNING = text("state = 'running'")

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True, comment="Chosen by the client or made by the API; the key of every effect."),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False, server_default="5", comment="0 last to 9 first."),
    Column("run_at", DateTime(timezone=True), nullable=False, comment="Not before this time."),
    Column("args", JSONB, nullable=False),
    Column(
        "fingerprint", LargeBinary, nullable=False, comment="SHA-256 of kind, args, run_at and priority as submitted."
    ),
    Column(
        "context", JSONB, nullable=False, server_default="{}", comment="request_id and traceparent of the submitter."
    ),
    Column(
        "attempt",
        Integer,
        nullable=False,
        server_default="0",
        comment="Raised by every claim; fences every later write.",
    ),
    Column(
        "returned",
        Integer,
        nullable=False,
        server_default="0",
        comment="Attempts given back unfinished: not held against it.",
    ),
    Column("max_attempts", Integer, nullable=False),
    Column(
        "dispatched_at",
        DateTime(timezone=True),
        comment="When the broker was given its id. NULL: waiting in PostgreSQL.",
    ),
    Column("lease_expires_at", DateTime(timezone=True)),
    Column("worker", Text),
    Column("cancel_requested_at", DateTime(timezone=True)),
    Column("progress", JSONB),
    Column("checkpoint", JSONB, comment="Where the next attempt goes on; written with the effects it counts."),
    Column("result", JSONB),
    Column("error", JSONB, comment="The last failure: type, message, permanent."),
    Column("retry_of", Uuid, comment="The dead job that this one repeats."),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    CheckConstraint("state IN ('scheduled', 'queued', 'running', 'succeeded', 'dead', 'cancelled')", name="state"),
    CheckConstraint("priority BETWEEN 0 AND 9", name="priority"),
    CheckConstraint("(state = 'running') = (lease_expires_at IS NOT NULL)", name="lease"),
    CheckConstraint("(state IN ('succeeded', 'dead', 'cancelled')) = (finished_at IS NOT NULL)", name="finished"),
    Index("ix_jobs_scheduled", "run_at", postgresql_where=text("state = 'scheduled'")),
    Index("ix_jobs_waiting", text("priority DESC"), "run_at", "id", postgresql_where=_WAITING),
    Index("ix_jobs_waiting_kind", "kind", text("priority DESC"), "run_at", "id", postgresql_where=_WAITING),
    Index("ix_jobs_dispatched", "dispatched_at", postgresql_where=_DISPATCHED),
    Index("ix_jobs_running", "lease_expires_at", postgresql_where=_RUNNING),
    Index("ix_jobs_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    Index("ix_jobs_dead", "id", postgresql_where=text("state = 'dead'")),
    Index("ix_jobs_account_id_created_at_id", "account_id", "created_at", "id"),
    Index("ix_jobs_retry_of", "retry_of", postgresql_where=text("retry_of IS NOT NULL")),
)

job_attempts = Table(
    "job_attempts",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column(
        "outcome",
        Text,
        nullable=False,
        comment="failed, lost (the lease ran out) or returned (given back at shutdown).",
    ),
    Column("worker", Text),
    Column("error", JSONB),
    Column("ended_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("outcome IN ('failed', 'lost', 'returned')", name="outcome"),
)

import_rejections = Table(
    "import_rejections",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("entry", Integer, primary_key=True, comment="The entry's number in the file, from 0."),
    Column("line", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("excerpt", Text, nullable=False),
)
