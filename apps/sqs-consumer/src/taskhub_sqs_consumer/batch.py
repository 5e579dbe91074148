"""One batch: written to the index, recorded in PostgreSQL in one transaction, and only then deleted from the queue.

The index comes first because its writes are idempotent and need no transaction to be held open. A batch that fails
as a whole is repeated in halves, so that a poisonous event cannot stop its neighbours: it alone stays in the queue,
until SQS has handed it out so often that it moves to the DLQ.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from elasticsearch import Elasticsearch
from sqlalchemy import Connection

from taskhub_core.errors import Unavailable
from taskhub_core.events.queue import EventQueue, Message, Outgoing, QueueUnavailable
from taskhub_core.search.document import Document
from taskhub_core.search.write import Written, write
from taskhub_core.telemetry import metrics
from taskhub_core.telemetry.context import incoming, spans_are_collected
from taskhub_sqs_consumer.effects import Effects, apply
from taskhub_sqs_consumer.parse import Arrival, Rejection, parse

_log = structlog.get_logger(__name__)

type RunUnit = Callable[[Callable[[Connection], Effects]], Effects]


@dataclass(frozen=True, slots=True)
class Index:
    """Where task documents go."""

    client: Elasticsearch
    alias: str


class BatchProcessor:
    """Does the work; shared by all receivers."""

    def __init__(
        self,
        queue: EventQueue,
        dead_letters: EventQueue,
        *,
        run_unit: RunUnit,
        index: Index | None,
        max_retry_seconds: int,
    ) -> None:
        self._queue = queue
        self._dead_letters = dead_letters
        self._run_unit = run_unit
        self._index = index
        self._max_retry_seconds = max_retry_seconds

    def sort_out(self, messages: Sequence[Message]) -> list[Arrival]:
        """Moves what is no event to the DLQ, and returns the rest."""
        parsed = [parse(message) for message in messages]
        self._reject([result for result in parsed if isinstance(result, Rejection)])
        return [result for result in parsed if isinstance(result, Arrival)]

    def process(self, arrivals: Sequence[Arrival], *, progress: Callable[[], None]) -> None:
        """Processes the events and deletes their messages; calls `progress` at every step. Repeating it is harmless.

        Raises Unavailable when PostgreSQL, Elasticsearch or SQS is away; whatever else happens concerns one event.
        """
        progress()
        try:
            self._process(arrivals)
        except Unavailable:
            raise
        except Exception as error:
            if len(arrivals) == 1:
                self._leave(arrivals[0], error)
                return
            _log.warning("a batch failed, going on with its halves", events=len(arrivals), error=repr(error))
            middle = len(arrivals) // 2
            self.process(arrivals[:middle], progress=progress)
            self.process(arrivals[middle:], progress=progress)

    def _process(self, arrivals: Sequence[Arrival]) -> None:
        refused = self._write_to_index(arrivals).refused
        effects = self._run_unit(lambda connection: apply(connection, [arrival.event for arrival in arrivals]))
        self._report(arrivals, effects)
        # The feed has a refused event; once the index can take it, a redrive only repeats the write to the index.
        rejections = [
            Rejection(arrival.message, "index_refused", refused[arrival.event.subject_id][:1_000])
            for arrival in arrivals
            if arrival.event.subject_id in refused
        ]
        self._reject(rejections)
        rejected = {rejection.message.id for rejection in rejections}
        self._queue.delete([arrival.message for arrival in arrivals if arrival.message.id not in rejected])

    def _write_to_index(self, arrivals: Sequence[Arrival]) -> Written:
        newest: dict[object, Document] = {}
        for arrival in arrivals:
            document = arrival.document
            if document and (known := newest.get(document.task_id, document)).version <= document.version:
                newest[known.task_id] = document
        if self._index is None or not newest:
            return Written()
        return write(self._index.client, self._index.alias, list(newest.values()))

    def _report(self, arrivals: Sequence[Arrival], effects: Effects) -> None:
        now = datetime.now(UTC)
        outcomes = ["processed" if arrival.event.event_id in effects.new else "duplicate" for arrival in arrivals]
        for outcome, count in Counter(outcomes).items():
            metrics.EVENTS_CONSUMED.labels(outcome=outcome).inc(count)
        lags = [max(0.0, (now - arrival.event.occurred_at).total_seconds()) for arrival in arrivals]
        for outcome, lag in zip(outcomes, lags, strict=True):
            if outcome == "processed":
                metrics.EVENT_LAG_SECONDS.observe(lag)
        if not (spans_are_collected() or _log.is_enabled_for(logging.INFO)):
            return  # to take up each event's story again costs as much as all the rest here
        for arrival, outcome, lag in zip(arrivals, outcomes, lags, strict=True):
            event = arrival.event
            with incoming(event.context, span="event.consume", event_id=str(event.event_id)):
                _log.info("event consumed", type=event.type, outcome=outcome, lag_seconds=round(lag, 3))

    def _reject(self, rejections: Sequence[Rejection]) -> None:
        """Sends to the DLQ first and deletes afterwards: a crash between the two leaves one twice, never none."""
        if not rejections:
            return
        copies = [
            Outgoing(rejection.message.id, rejection.message.body, rejection.reason, rejection.detail)
            for rejection in rejections
        ]
        try:
            failed = self._dead_letters.send(copies)
        except QueueUnavailable as error:
            # It comes again by its visibility, and SQS moves it itself in the end: no reason to hold its neighbours up.
            failed = {copy.id: str(error) for copy in copies}
        moved = [rejection for rejection in rejections if rejection.message.id not in failed]
        for rejection in moved:
            metrics.EVENTS_REJECTED.labels(reason=rejection.reason).inc()
            _log.warning(
                "message moved to the DLQ",
                message_id=rejection.message.id,
                reason=rejection.reason,
                detail=rejection.detail,
            )
        for message_id, reason in failed.items():
            _log.error("message not taken by the DLQ", message_id=message_id, reason=reason)
        self._queue.delete([rejection.message for rejection in moved])

    def _leave(self, arrival: Arrival, error: Exception) -> None:
        metrics.EVENTS_CONSUMED.labels(outcome="failed").inc()
        message = arrival.message
        with incoming(arrival.event.context, span="event.failed", event_id=str(arrival.event.event_id)):
            _log.error("event failed, it will come again", receives=message.receive_count, exc_info=error)
        self._queue.set_visibility([message], min(2**message.receive_count, self._max_retry_seconds))
