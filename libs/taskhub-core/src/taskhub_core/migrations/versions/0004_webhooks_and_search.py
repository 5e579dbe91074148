"""Webhook subscriptions and index reconciliations."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE webhooks (
            id UUID NOT NULL,
            account_id UUID NOT NULL,
            url TEXT NOT NULL,
            secret TEXT NOT NULL,
            event_types TEXT[] NOT NULL,
            failing_since TIMESTAMP WITH TIME ZONE,
            disabled_at TIMESTAMP WITH TIME ZONE,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_webhooks PRIMARY KEY (id),
            CONSTRAINT fk_webhooks_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_webhooks_account_id_id ON webhooks (account_id, id)
        """
    )
    op.execute("COMMENT ON COLUMN webhooks.secret IS $$The HMAC key of its deliveries; shown once, when it is made.$$")
    op.execute("COMMENT ON COLUMN webhooks.event_types IS $$Empty: every type.$$")
    op.execute("COMMENT ON COLUMN webhooks.failing_since IS $$The first failure since the last success.$$")
    op.execute("COMMENT ON COLUMN webhooks.disabled_at IS $$Set after a day of nothing but failures.$$")
    op.execute(
        """
        CREATE TABLE search_reconciliations (
            id UUID NOT NULL,
            index_name TEXT NOT NULL,
            started_at TIMESTAMP WITH TIME ZONE NOT NULL,
            finished_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            documents_expected BIGINT NOT NULL,
            documents_found BIGINT NOT NULL,
            ranges_different INTEGER NOT NULL,
            missing INTEGER NOT NULL,
            stale INTEGER NOT NULL,
            superfluous INTEGER NOT NULL,
            repaired INTEGER NOT NULL,
            CONSTRAINT pk_search_reconciliations PRIMARY KEY (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_search_reconciliations_finished_at ON search_reconciliations (finished_at)
        """
    )
    op.execute(
        "COMMENT ON COLUMN search_reconciliations.documents_expected IS $$Tasks in PostgreSQL, tombstones not counted.$$"
    )
