"""The wake-up call: NOTIFY tells a dispatcher that work was committed. Nothing depends on its arrival."""

from sqlalchemy import Connection, text

CHANNEL = "taskhub_jobs"

_NOTIFY = text(f"NOTIFY {CHANNEL}")


def wake_dispatcher(connection: Connection) -> None:
    """Wakes the dispatchers when the caller's transaction commits."""
    connection.execute(_NOTIFY)
