"""Tables of accounts and their refresh tokens."""

import enum

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Table, Text, Uuid, func, text

from taskhub_core.database.schema import metadata


class Role(enum.StrEnum):
    """What an account may do."""

    USER = "user"
    OPERATOR = "operator"


accounts = Table(
    "accounts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", Text, nullable=False, comment="As registered; compared without regard to case."),
    Column("password_hash", Text, nullable=False, comment="argon2id, in the PHC string format."),
    Column("role", Text, nullable=False, server_default=Role.USER.value),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("role IN ('user', 'operator')", name="role"),
    Index("uq_accounts_email", text("lower(email)"), unique=True),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column(
        "id", Uuid, primary_key=True, comment="The token is this id and its HMAC: the token itself is never stored."
    ),
    Column("account_id", Uuid, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("family_id", Uuid, nullable=False, comment="All tokens that came from one login by rotation."),
    Column("issued_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True), comment="When it was exchanged. A second use revokes the family."),
    Column("revoked_at", DateTime(timezone=True)),
    Index("ix_refresh_tokens_account_id", "account_id"),
    Index("ix_refresh_tokens_family_id", "family_id"),
    Index("ix_refresh_tokens_expires_at", "expires_at"),
)
