"""Engines whose connections cannot be waited for without end: one held too long has its socket shut.

A frozen PostgreSQL answers nothing, and its kernel still acknowledges TCP segments: neither keepalives nor the server's
own timeouts end such a wait (failure mode 3). A watching thread does, from this side.
"""

import threading
import time
from typing import Any

from sqlalchemy import Engine, create_engine, event

from taskhub_core.database.abort import DriverConnection, abort_driver
from taskhub_core.database.engine import engine_options, leave_read_only_servers, sqlalchemy_url
from taskhub_core.settings import DatabaseSettings

_LOOK_EVERY_SECONDS = 0.25


class ConnectionWatch:
    """The thread that shuts connections which were held past their time."""

    def __init__(self) -> None:
        self._due: dict[int, tuple[float, DriverConnection]] = {}
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="connection-watch", daemon=True)
        self._thread.start()

    def add(self, connection: DriverConnection, *, seconds: float) -> None:
        """Shuts the connection unless `remove` comes in time."""
        with self._changed:
            self._due[id(connection)] = time.monotonic() + seconds, connection
            self._changed.notify()

    def remove(self, connection: DriverConnection) -> None:
        """The connection is no longer in use."""
        with self._changed:
            self._due.pop(id(connection), None)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._due))
                now = time.monotonic()
                overdue = [key for key, (due, _) in self._due.items() if due <= now]
                connections = [self._due.pop(key)[1] for key in overdue]
            for connection in connections:
                abort_driver(connection)
            time.sleep(_LOOK_EVERY_SECONDS)


def watched_engine(
    settings: DatabaseSettings, watch: ConnectionWatch, *, application_name: str, limit_seconds: float
) -> Engine:
    """An engine of one connection, for one thread. A transaction that takes longer than the limit loses its connection.

    There is no ping before use, since nothing could end it: a dead connection shows at the first statement instead, and
    whoever uses this engine repeats its transactions.
    """
    options = engine_options(settings, application_name=application_name)
    engine = create_engine(sqlalchemy_url(settings), **{**options, "pool_size": 1, "pool_pre_ping": False})

    def taken(driver: Any, *_: object) -> None:
        watch.add(driver, seconds=limit_seconds)

    def put_back(driver: Any, *_: object) -> None:
        if driver is not None:
            watch.remove(driver)

    event.listen(engine, "checkout", taken)
    event.listen(engine, "checkin", put_back)
    event.listen(engine, "close", put_back)
    leave_read_only_servers(engine)
    return engine
