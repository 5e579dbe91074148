"""Table of index reconciliations: what the last comparison of PostgreSQL with the search index found."""

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Table, Text, Uuid, func

from taskhub_core.database.schema import metadata

reconciliations = Table(
    "search_reconciliations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("index_name", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("documents_expected", BigInteger, nullable=False, comment="Tasks in PostgreSQL, tombstones not counted."),
    Column("documents_found", BigInteger, nullable=False),
    Column("ranges_different", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("stale", Integer, nullable=False),
    Column("superfluous", Integer, nullable=False),
    Column("repaired", Integer, nullable=False),
    Index("ix_search_reconciliations_finished_at", "finished_at"),
)
