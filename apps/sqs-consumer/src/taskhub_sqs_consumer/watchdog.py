"""Ends waits for a PostgreSQL that is frozen: it still acknowledges packets, so nothing else ever would.

A unit of work may hang before it has its connection (in the pool's ping), so the limit applies to the engine: when it
passes, the sockets of all the engine's connections are shut down, and whoever waits on one gets an OperationalError.
"""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine, event

from taskhub_core.database.abort import abort_driver


class Watchdog:
    """Watches one engine. Make it before the engine's first connection."""

    def __init__(self, engine: Engine) -> None:
        self._connections: weakref.WeakSet[psycopg.Connection[Any]] = weakref.WeakSet()
        self._lock = threading.Lock()
        event.listen(engine, "connect", self._remember)

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Limits the block; the limit must be above what a PostgreSQL that answers may take."""
        timer = threading.Timer(seconds, self._shut_all)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _remember(self, connection: psycopg.Connection[Any], _record: object) -> None:
        with self._lock:
            self._connections.add(connection)

    def _shut_all(self) -> None:
        with self._lock:
            connections = [connection for connection in self._connections if not connection.closed]
        for connection in connections:
            abort_driver(connection)
