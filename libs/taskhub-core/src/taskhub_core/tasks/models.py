"""Table of tasks. A deleted task stays as a tombstone until retention purges it, so that the index can learn of it."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    Uuid,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR

from taskhub_core.database.schema import metadata

_LIVE = text("deleted_at IS NULL")

tasks = Table(
    "tasks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("title", Text, nullable=False),
    Column("notes", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False, server_default="open"),
    Column("priority", SmallInteger, nullable=False, server_default="0", comment="0 none to 4 urgent."),
    Column("due_at", DateTime(timezone=True)),
    Column("remind", Boolean, nullable=False, server_default=false(), comment="Whether to mail a reminder at due_at."),
    Column("tags", ARRAY(Text), nullable=False, server_default="{}"),
    Column("external_id", Text, comment="The id in the file it was imported from: importing again updates."),
    Column(
        "version", BigInteger, nullable=False, server_default="1", comment="Rises by one with every change: the ETag."
    ),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("completed_at", DateTime(timezone=True)),
    Column("deleted_at", DateTime(timezone=True)),
    Column(
        "search_text",
        TSVECTOR,
        Computed(
            "setweight(to_tsvector('simple', title), 'A') || setweight(array_to_tsvector(tags), 'B') "
            "|| setweight(to_tsvector('simple', left(notes, 100000)), 'C')",
            persisted=True,
        ),
    ),
    CheckConstraint("status IN ('open', 'in_progress', 'done', 'cancelled')", name="status"),
    CheckConstraint("priority BETWEEN 0 AND 4", name="priority"),
    Index("ix_tasks_account_id_id", "account_id", "id", postgresql_where=_LIVE),
    Index("ix_tasks_account_id_due_at_id", "account_id", "due_at", "id", postgresql_where=_LIVE),
    Index("ix_tasks_account_id_priority_id", "account_id", "priority", "id", postgresql_where=_LIVE),
    Index("ix_tasks_account_id_updated_at_id", "account_id", "updated_at", "id", postgresql_where=_LIVE),
    Index(
        "uq_tasks_account_id_external_id",
        "account_id",
        "external_id",
        unique=True,
        postgresql_where=text("external_id IS NOT NULL AND deleted_at IS NULL"),
    ),
    Index("ix_tasks_tags", "tags", postgresql_using="gin", postgresql_where=_LIVE),
    Index("ix_tasks_search_text", "search_text", postgresql_using="gin", postgresql_where=_LIVE),
    Index("ix_tasks_updated_at", "updated_at"),
    Index("ix_tasks_deleted_at", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
)
