"""The loop that deletes what need not be kept."""

from sqlalchemy import Engine

from taskhub_core.telemetry import metrics
from taskhub_worker.dispatcher.loop import Loop
from taskhub_worker.dispatcher.retention import rules
from taskhub_worker.dispatcher.settings import DispatcherSettings

_NEXT_BATCH_SECONDS = 0.1


class RetentionLoop(Loop):
    """One small batch of each rule a turn, so that no lock is held long and replicas share the work."""

    name = "retention"

    def __init__(self, settings: DispatcherSettings, engine: Engine) -> None:
        super().__init__()
        self._settings = settings
        self._engine = engine
        self._rules = rules(settings)

    def turn(self) -> float:
        """Soon again while any rule finds a full batch."""
        limit = self._settings.retention_batch_size
        full = False
        for rule in self._rules:
            if self.stopping.is_set():
                break
            with self._engine.begin() as connection:
                count = rule.purge(connection, limit)
            metrics.ROWS_PURGED.labels(table=rule.table).inc(count)
            full = full or count >= limit
        return _NEXT_BATCH_SECONDS if full else self._settings.retention_poll_seconds

    def close(self) -> None:
        """Closes the connection."""
        self._engine.dispose()
