"""Tasks, the outbox of their events, and the activity feed."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE tasks (
            id UUID NOT NULL,
            account_id UUID NOT NULL,
            title TEXT NOT NULL,
            notes TEXT DEFAULT '' NOT NULL,
            status TEXT DEFAULT 'open' NOT NULL,
            priority SMALLINT DEFAULT '0' NOT NULL,
            due_at TIMESTAMP WITH TIME ZONE,
            remind BOOLEAN DEFAULT false NOT NULL,
            tags TEXT[] DEFAULT '{}' NOT NULL,
            external_id TEXT,
            version BIGINT DEFAULT '1' NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
            completed_at TIMESTAMP WITH TIME ZONE,
            deleted_at TIMESTAMP WITH TIME ZONE,
            search_text TSVECTOR GENERATED ALWAYS AS (setweight(to_tsvector('simple', title), 'A') || setweight(array_to_tsvector(tags), 'B') || setweight(to_tsvector('simple', left(notes, 100000)), 'C')) STORED,
            CONSTRAINT pk_tasks PRIMARY KEY (id),
            CONSTRAINT ck_tasks_status CHECK (status IN ('open', 'in_progress', 'done', 'cancelled')),
            CONSTRAINT ck_tasks_priority CHECK (priority BETWEEN 0 AND 4),
            CONSTRAINT fk_tasks_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_tasks_account_id_due_at_id ON tasks (account_id, due_at, id) WHERE deleted_at IS NULL
        """
    )
    op.execute(
        """
        CREATE INDEX ix_tasks_account_id_id ON tasks (account_id, id) WHERE deleted_at IS NULL
        """
    )
    op.execute(
        """
        CREATE INDEX ix_tasks_account_id_priority_id ON tasks (account_id, priority, id) WHERE deleted_at IS NULL
        """
    )
    op.execute(
        """
        CREATE INDEX ix_tasks_account_id_updated_at_id ON tasks (account_id, updated_at, id) WHERE deleted_at IS NULL
        """
    )
    op.execute(
        """
        CREATE INDEX ix_tasks_deleted_at ON tasks (deleted_at) WHERE deleted_at IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE INDEX ix_tasks_search_text ON tasks USING gin (search_text) WHERE deleted_at IS NULL
        """
    )
    op.execute(
        """
        CREATE INDEX ix_tasks_tags ON tasks USING gin (tags) WHERE deleted_at IS NULL
        """
    )
    op.execute(
        """
        CREATE INDEX ix_tasks_updated_at ON tasks (updated_at)
        """
    )
    op.execute(
        """
        CREATE UNIQUE INDEX uq_tasks_account_id_external_id ON tasks (account_id, external_id) WHERE external_id IS NOT NULL AND deleted_at IS NULL
        """
    )
    op.execute("COMMENT ON COLUMN tasks.priority IS $$0 none to 4 urgent.$$")
    op.execute("COMMENT ON COLUMN tasks.remind IS $$Whether to mail a reminder at due_at.$$")
    op.execute(
        "COMMENT ON COLUMN tasks.external_id IS $$The id in the file it was imported from: importing again updates.$$"
    )
    op.execute("COMMENT ON COLUMN tasks.version IS $$Rises by one with every change: the ETag.$$")
    op.execute(
        """
        CREATE TABLE outbox (
            id UUID NOT NULL,
            message JSONB NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_outbox PRIMARY KEY (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_outbox_created_at ON outbox (created_at)
        """
    )
    op.execute("COMMENT ON COLUMN outbox.id IS $$The event id. A row here is not yet in SQS; sending deletes it.$$")
    op.execute("COMMENT ON COLUMN outbox.message IS $$The event as it goes to SQS (events/schema.py).$$")
    op.execute(
        """
        CREATE TABLE activity (
            event_id UUID NOT NULL,
            account_id UUID NOT NULL,
            type TEXT NOT NULL,
            subject_id UUID NOT NULL,
            summary TEXT NOT NULL,
            schema_version SMALLINT NOT NULL,
            occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
            received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_activity PRIMARY KEY (event_id),
            CONSTRAINT fk_activity_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_activity_account_id_occurred_at_event_id ON activity (account_id, occurred_at, event_id)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_activity_received_at ON activity (received_at)
        """
    )
    op.execute(
        "COMMENT ON COLUMN activity.event_id IS $$This row is the inbox entry of its event: effect and record in one.$$"
    )
