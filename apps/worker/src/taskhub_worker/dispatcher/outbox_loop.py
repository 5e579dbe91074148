"""The loop that sends events from the outbox to SQS."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy import Engine

from taskhub_core.events import outbox
from taskhub_core.events.outbox import OutboxRow
from taskhub_core.telemetry import metrics
from taskhub_worker.dispatcher.loop import DependencyAway, Loop
from taskhub_worker.dispatcher.settings import DispatcherSettings
from taskhub_worker.dispatcher.sqs import EventQueue, Sent, requests

log = structlog.get_logger(__name__)

_SENDING_SECONDS = 3.0
"""No further request is begun after this time: the transaction that locks the rows is open meanwhile, and PostgreSQL
ends one that is idle for database_idle_in_transaction_timeout_ms."""
_MOST_ROWS = 1_000


class OutboxLoop(Loop):
    """Takes, sends, removes what SQS took, commits. A crash in between sends an event twice, and never loses one."""

    name = "outbox"

    def __init__(self, settings: DispatcherSettings, engine: Engine, queue: EventQueue) -> None:
        super().__init__()
        self._settings = settings
        self._engine = engine
        self._queue = queue
        self._pool = ThreadPoolExecutor(settings.outbox_senders, thread_name_prefix="outbox-sender")
        self._limit = settings.outbox_batch_size

    def turn(self) -> float:
        """One batch."""
        self._queue.prepare()  # not while a transaction holds rows
        with self._engine.begin() as connection:
            rows = outbox.take(connection, limit=self._limit)
            taken, away = self._send(rows)
            outbox.remove(connection, [row.id for row in taken])
        metrics.OUTBOX_SENT.inc(len(taken))
        if away is not None:
            metrics.OUTBOX_FAILURES.labels(reason="away").inc(len(rows) - len(taken))
            raise away
        self._reach_past_refused(len(rows), len(taken))
        return 0.0 if len(taken) >= self._settings.outbox_batch_size else self._settings.outbox_poll_seconds

    def close(self) -> None:
        """Ends the senders and both connections."""
        self._pool.shutdown()
        self._queue.close()
        self._engine.dispose()

    def _send(self, rows: Sequence[OutboxRow]) -> tuple[list[OutboxRow], DependencyAway | None]:
        groups, too_large = requests(rows)
        for row in too_large:
            metrics.OUTBOX_FAILURES.labels(reason="too_large").inc()
            log.error("event too large for SQS; it stays in the outbox", event_id=str(row.id))
        until = time.monotonic() + _SENDING_SECONDS
        failed: list[DependencyAway] = []

        def send(group: tuple[list[OutboxRow], list[bytes]]) -> Sent | None:
            if failed or time.monotonic() > until:
                return None
            try:
                return self._queue.send(*group)
            except DependencyAway as error:
                failed.append(error)
                return None

        results = [result for result in self._pool.map(send, groups) if result is not None]
        for refused in (refused for result in results for refused in result.refused):
            metrics.OUTBOX_FAILURES.labels(reason="refused").inc()
            log.warning("SQS refused an event; it stays", event_id=str(refused.row.id), code=refused.code)
        return [row for result in results for row in result.taken], failed[0] if failed else None

    def _reach_past_refused(self, rows: int, taken: int) -> None:
        """Events that SQS refuses for good must not block those behind them: take more rows while none moves."""
        stuck = rows >= self._limit and taken == 0
        self._limit = min(self._limit * 2, _MOST_ROWS) if stuck else max(self._limit // 2, self._batch)

    @property
    def _batch(self) -> int:
        return self._settings.outbox_batch_size
