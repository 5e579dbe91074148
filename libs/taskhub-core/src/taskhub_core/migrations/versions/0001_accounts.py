"""Accounts, refresh tokens and idempotency keys."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE accounts (
            id UUID NOT NULL,
            email TEXT NOT NULL,
            password_hash TEXT NOT NULL,
            role TEXT DEFAULT 'user' NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_accounts PRIMARY KEY (id),
            CONSTRAINT ck_accounts_role CHECK (role IN ('user', 'operator'))
        )
        """
    )
    op.execute(
        """
        CREATE UNIQUE INDEX uq_accounts_email ON accounts (lower(email))
        """
    )
    op.execute("COMMENT ON COLUMN accounts.email IS $$As registered; compared without regard to case.$$")
    op.execute("COMMENT ON COLUMN accounts.password_hash IS $$argon2id, in the PHC string format.$$")
    op.execute(
        """
        CREATE TABLE refresh_tokens (
            id UUID NOT NULL,
            account_id UUID NOT NULL,
            family_id UUID NOT NULL,
            issued_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
            used_at TIMESTAMP WITH TIME ZONE,
            revoked_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_refresh_tokens PRIMARY KEY (id),
            CONSTRAINT fk_refresh_tokens_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_refresh_tokens_account_id ON refresh_tokens (account_id)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_refresh_tokens_expires_at ON refresh_tokens (expires_at)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_refresh_tokens_family_id ON refresh_tokens (family_id)
        """
    )
    op.execute(
        "COMMENT ON COLUMN refresh_tokens.id IS $$The token is this id and its HMAC: the token itself is never stored.$$"
    )
    op.execute("COMMENT ON COLUMN refresh_tokens.family_id IS $$All tokens that came from one login by rotation.$$")
    op.execute(
        "COMMENT ON COLUMN refresh_tokens.used_at IS $$When it was exchanged. A second use revokes the family.$$"
    )
    op.execute(
        """
        CREATE TABLE idempotency_keys (
            scope UUID NOT NULL,
            key TEXT NOT NULL,
            fingerprint BYTEA NOT NULL,
            status SMALLINT NOT NULL,
            headers JSONB NOT NULL,
            body BYTEA NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_idempotency_keys PRIMARY KEY (scope, key)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at)
        """
    )
    op.execute("COMMENT ON COLUMN idempotency_keys.scope IS $$The account; the nil UUID for requests without one.$$")
    op.execute("COMMENT ON COLUMN idempotency_keys.fingerprint IS $$A MAC of method, URL and payload.$$")
