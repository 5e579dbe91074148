"""Jobs, their failed attempts, and files."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE files (
            id UUID NOT NULL,
            account_id UUID NOT NULL,
            name TEXT NOT NULL,
            content_type TEXT NOT NULL,
            size INTEGER NOT NULL,
            sha256 BYTEA NOT NULL,
            content BYTEA NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_files PRIMARY KEY (id),
            CONSTRAINT fk_files_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_files_account_id_id ON files (account_id, id)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_files_expires_at ON files (expires_at)
        """
    )
    op.execute("COMMENT ON COLUMN files.size IS $$Bytes.$$")
    op.execute(
        """
        CREATE TABLE jobs (
            id UUID NOT NULL,
            account_id UUID NOT NULL,
            kind TEXT NOT NULL,
            state TEXT NOT NULL,
            priority SMALLINT DEFAULT '5' NOT NULL,
            run_at TIMESTAMP WITH TIME ZONE NOT NULL,
            args JSONB NOT NULL,
            fingerprint BYTEA NOT NULL,
            context JSONB DEFAULT '{}' NOT NULL,
            attempt INTEGER DEFAULT '0' NOT NULL,
            returned INTEGER DEFAULT '0' NOT NULL,
            max_attempts INTEGER NOT NULL,
            dispatched_at TIMESTAMP WITH TIME ZONE,
            lease_expires_at TIMESTAMP WITH TIME ZONE,
            worker TEXT,
            cancel_requested_at TIMESTAMP WITH TIME ZONE,
            progress JSONB,
            checkpoint JSONB,
            result JSONB,
            error JSONB,
            retry_of UUID,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            started_at TIMESTAMP WITH TIME ZONE,
            finished_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_jobs PRIMARY KEY (id),
            CONSTRAINT ck_jobs_state CHECK (state IN ('scheduled', 'queued', 'running', 'succeeded', 'dead', 'cancelled')),
            CONSTRAINT ck_jobs_priority CHECK (priority BETWEEN 0 AND 9),
            CONSTRAINT ck_jobs_lease CHECK ((state = 'running') = (lease_expires_at IS NOT NULL)),
            CONSTRAINT ck_jobs_finished CHECK ((state IN ('succeeded', 'dead', 'cancelled')) = (finished_at IS NOT NULL)),
            CONSTRAINT fk_jobs_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_jobs_account_id_created_at_id ON jobs (account_id, created_at, id)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_jobs_dead ON jobs (id) WHERE state = 'dead'
        """
    )
    op.execute(
        """
        CREATE INDEX ix_jobs_dispatched ON jobs (dispatched_at) WHERE state = 'queued' AND dispatched_at IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE INDEX ix_jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE INDEX ix_jobs_retry_of ON jobs (retry_of) WHERE retry_of IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE INDEX ix_jobs_running ON jobs (lease_expires_at) WHERE state = 'running'
        """
    )
    op.execute(
        """
        CREATE INDEX ix_jobs_scheduled ON jobs (run_at) WHERE state = 'scheduled'
        """
    )
    op.execute(
        """
        CREATE INDEX ix_jobs_waiting ON jobs (priority DESC, run_at, id) WHERE state = 'queued' AND dispatched_at IS NULL
        """
    )
    op.execute("COMMENT ON COLUMN jobs.id IS $$Chosen by the client or made by the API; the key of every effect.$$")
    op.execute("COMMENT ON COLUMN jobs.priority IS $$0 last to 9 first.$$")
    op.execute("COMMENT ON COLUMN jobs.run_at IS $$Not before this time.$$")
    op.execute("COMMENT ON COLUMN jobs.fingerprint IS $$SHA-256 of kind, args, run_at and priority as submitted.$$")
    op.execute("COMMENT ON COLUMN jobs.context IS $$request_id and traceparent of the submitter.$$")
    op.execute("COMMENT ON COLUMN jobs.attempt IS $$Raised by every claim; fences every later write.$$")
    op.execute("COMMENT ON COLUMN jobs.returned IS $$Attempts given back unfinished: not held against it.$$")
    op.execute(
        "COMMENT ON COLUMN jobs.dispatched_at IS $$When the broker was given its id. NULL: waiting in PostgreSQL.$$"
    )
    op.execute(
        "COMMENT ON COLUMN jobs.checkpoint IS $$Where the next attempt goes on; written with the effects it counts.$$"
    )
    op.execute("COMMENT ON COLUMN jobs.error IS $$The last failure: type, message, permanent.$$")
    op.execute("COMMENT ON COLUMN jobs.retry_of IS $$The dead job that this one repeats.$$")
    op.execute(
        """
        CREATE TABLE job_attempts (
            job_id UUID NOT NULL,
            attempt INTEGER NOT NULL,
            outcome TEXT NOT NULL,
            worker TEXT,
            error JSONB,
            ended_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_job_attempts PRIMARY KEY (job_id, attempt),
            CONSTRAINT ck_job_attempts_outcome CHECK (outcome IN ('failed', 'lost', 'returned')),
            CONSTRAINT fk_job_attempts_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
        )
        """
    )
    op.execute(
        "COMMENT ON COLUMN job_attempts.outcome IS $$failed, lost (the lease ran out) or returned (given back at shutdown).$$"
    )
    op.execute(
        """
        CREATE TABLE import_rejections (
            job_id UUID NOT NULL,
            entry INTEGER NOT NULL,
            line INTEGER NOT NULL,
            reason TEXT NOT NULL,
            excerpt TEXT NOT NULL,
            CONSTRAINT pk_import_rejections PRIMARY KEY (job_id, entry),
            CONSTRAINT fk_import_rejections_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
        )
        """
    )
    op.execute("COMMENT ON COLUMN import_rejections.entry IS $$The entry's number in the file, from 0.$$")
