"""Table of webhook subscriptions. Deliveries are jobs of kind webhook.deliver."""

from sqlalchemy import Column, DateTime, ForeignKey, Index, Table, Text, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY

from taskhub_core.database.schema import metadata

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False, comment="The HMAC key of its deliveries; shown once, when it is made."),
    Column("event_types", ARRAY(Text), nullable=False, comment="Empty: every type."),
    Column("failing_since", DateTime(timezone=True), comment="The first failure since the last success."),
    Column("disabled_at", DateTime(timezone=True), comment="Set after a day of nothing but failures."),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("ix_webhooks_account_id_id", "account_id", "id"),
)
