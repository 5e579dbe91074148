"""Celery's consumer, with a stamp that its loop touches, and patience of a fixed length while the broker is away."""

from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu import Connection

from taskhub_worker.worker.stamp import FileStamp


def consumer_class(stamp: FileStamp, retry_seconds: int) -> type[Consumer]:
    """The class for Celery's worker_consumer setting."""

    class StampedConsumer(Consumer):
        """Coming round and trying to reconnect are both progress; a loop that does neither is dead."""

        def register_with_event_loop(self, hub: Any) -> None:
            """Celery calls this each time it has connected: a lost connection empties the hub."""
            super().register_with_event_loop(hub)
            hub.on_tick.add(stamp.touch)

        def ensure_connected(self, conn: Connection) -> Connection:
            """Tries for ever, without the growing pauses (up to 30 s) of Celery's own."""

            def failed(error: Exception, _interval: float) -> None:
                self.on_connection_error_before_connected(error)

            def still_trying() -> None:
                stamp.touch()
                maybe_shutdown()

            conn.ensure_connection(
                failed,
                max_retries=None,  # type: ignore[arg-type] # for ever
                interval_start=retry_seconds,
                interval_step=0,
                interval_max=retry_seconds,
                callback=still_trying,
            )
            self.first_connection_attempt = False
            return conn

    return StampedConsumer
