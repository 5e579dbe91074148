"""Finds a free TCP port on the loopback interface."""

import socket
from collections.abc import Collection

HOST = "127.0.0.1"
_TRIES = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on the port right now, on loopback and on every interface."""
    for host in (HOST, "0.0.0.0"):  # noqa: S104 - only tried, closed at once
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As servers do: a port whose last connections are in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def next_free(wanted: int, taken: Collection[int] = ()) -> int:
    """Return the wanted port, or the first free one after it that is not in `taken`. Raises OSError if none is near."""
    for port in range(wanted, min(wanted + _TRIES, 65_536)):
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free TCP port between {wanted} and {wanted + _TRIES}")


def any_free() -> int:
    """Return a port that the system says is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
