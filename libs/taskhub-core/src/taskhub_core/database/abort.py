"""Breaking a connection that no longer answers.

A frozen server still acknowledges TCP segments, so neither keepalives nor server-side timeouts end the wait. Shutting
the socket down from this side does, at once, in the thread or task that waits on it.
"""

import os
import socket
from typing import Protocol

from sqlalchemy import Connection


class DriverConnection(Protocol):
    """What psycopg's synchronous and asynchronous connections have in common here."""

    @property
    def closed(self) -> bool:
        """Whether it was closed from this side."""
        ...

    def fileno(self) -> int:
        """Its socket."""
        ...


def abort(connection: Connection) -> None:
    """Shuts the socket of a checked-out connection down: whoever waits on it gets an OperationalError. Idempotent."""
    try:
        driver = connection.connection.driver_connection
    except Exception:
        return
    if driver is not None:
        abort_driver(driver)


def abort_driver(driver: DriverConnection) -> None:
    """The same for psycopg's own connection."""
    if driver.closed:
        return
    with socket.socket(fileno=os.dup(driver.fileno())) as duplicate:
        try:
            duplicate.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the peer is gone already
