"""The Alembic history of TaskHub's database: forward only, each step safe while the previous release serves traffic."""
