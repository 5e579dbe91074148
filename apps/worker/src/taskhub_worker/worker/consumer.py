"""Celery's consumer, with a stamp that its loop touches, and made to outlast a broker that is away or frozen."""

from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu import Connection
from kombu.transport import virtual

from taskhub_worker.worker.stamp import FileStamp


def consumer_class(stamp: FileStamp, retry_seconds: int) -> type[Consumer]:
    """The class for Celery's worker_consumer setting."""

    class StampedConsumer(Consumer):
        """Coming round and trying to reconnect are both progress; a loop that does neither is dead."""

        def register_with_event_loop(self, hub: Any) -> None:
            """Celery calls this each time it has connected: a lost connection empties the hub."""
            super().register_with_event_loop(hub)
            hub.on_tick.add(stamp.touch)
            free_slots_of_failed_acks(vars(self)["task_consumer"].channel.qos)  # celery-types does not know it

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
            stamp.touch()  # a Redis that takes connections may refuse everything else
            self.first_connection_attempt = False
            return conn

    return StampedConsumer


def free_slots_of_failed_acks(qos: Any) -> None:
    """Frees a message's slot also when Redis cannot be told of the acknowledgement.

    kombu counts the message as being worked on until Redis has confirmed. A Redis that froze at the end of as many jobs
    as there are processes would leave a worker that takes no message ever again. What Redis still has of such a message
    comes back after the visibility timeout, and is refused, for its job is done.
    """
    for name in ("ack", "reject"):
        setattr(qos, name, _freeing(qos, getattr(qos, name)))


def _freeing(qos: Any, tell_redis: Callable[..., None]) -> Callable[..., None]:
    def told_or_freed(delivery_tag: str, *arguments: Any, **options: Any) -> None:
        try:
            tell_redis(delivery_tag, *arguments, **options)
        except Exception:
            virtual.QoS.ack(qos, delivery_tag)
            raise

    return told_or_freed
