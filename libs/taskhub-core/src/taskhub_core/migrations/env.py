"""Alembic's entry: runs the history over the connection that database.migrate opened."""

from alembic import context

from taskhub_core.database.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
