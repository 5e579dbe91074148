"""Tables of events: the outbox they leave PostgreSQL by, and the activity feed the consumer makes of them."""

from sqlalchemy import Column, DateTime, ForeignKey, Index, SmallInteger, Table, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB

from taskhub_core.database.schema import metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", Uuid, primary_key=True, comment="The event id. A row here is not yet in SQS; sending deletes it."),
    Column("message", JSONB, nullable=False, comment="The event as it goes to SQS (events/schema.py)."),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("ix_outbox_created_at", "created_at"),
)

activity = Table(
    "activity",
    metadata,
    Column(
        "event_id",
        Uuid,
        primary_key=True,
        comment="This row is the inbox entry of its event: effect and record in one.",
    ),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("type", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("summary", Text, nullable=False),
    Column("schema_version", SmallInteger, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("ix_activity_account_id_occurred_at_event_id", "account_id", "occurred_at", "event_id"),
    Index("ix_activity_received_at", "received_at"),
)
