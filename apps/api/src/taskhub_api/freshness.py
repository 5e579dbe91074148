"""Checks a pooled connection before it is used, unless it was used a moment ago: a round trip less under load.

A connection that broke within that moment fails at its first statement, which the unit of work repeats. The check is
the pool's pre-ping otherwise, and every connection of the pool is dropped when one is found broken.
"""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

from taskhub_core.database.abort import DriverConnection

FRESH_SECONDS = 1.0
_LAST_USED = "taskhub_last_used"


def check_at_checkout(engine: Engine, *, before: Callable[[DriverConnection], None]) -> None:
    """Installs the check. `before` is called with the driver's connection before each checkout's check."""

    def note_use(_connection: Any, record: Any, *_: Any) -> None:
        record.info[_LAST_USED] = time.monotonic()

    def check(connection: Any, record: Any, _proxy: Any) -> None:
        before(connection.driver_connection)
        if time.monotonic() - record.info.get(_LAST_USED, 0.0) < FRESH_SECONDS:
            return
        dialect = engine.dialect
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            if dialect.is_disconnect(error, connection, None):
                raise InvalidatePoolError from error
            raise

    event.listen(engine, "connect", note_use)
    event.listen(engine, "checkin", note_use)
    event.listen(engine, "checkout", check)
