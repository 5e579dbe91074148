"""Breaking a connection that no longer answers.

A frozen server still acknowledges TCP segments, so neither keepalives nor server-side timeouts end the wait. Shutting
the socket down from this side does, at once, in the thread or task that waits on it.
"""

import os
import socket

from sqlalchemy import Connection


def abort(connection: Connection) -> None:
    """Shuts the socket of a checked-out connection down: whoever waits on it gets an OperationalError. Idempotent."""
    try:
        driver = connection.connection.driver_connection
    except Exception:
        return
    if driver is None or driver.closed:
        return
    with socket.socket(fileno=os.dup(driver.fileno())) as duplicate:
        try:
            duplicate.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the peer is gone already
