"""Finds a free TCP port on the loopback interface."""

import random
import socket
from collections.abc import Collection

HOST = "127.0.0.1"
_TRIES = 200
_FOR_SERVERS = range(16_000, 32_000)
_claims: list[socket.socket] = []


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
    """Return a free port that nobody else gets from here while this process lives. Raises OSError if there is none.

    It lies below those that Linux gives to outgoing connections (ip_local_port_range): one of these could otherwise
    take it before its server listens.
    """
    for port in random.sample(_FOR_SERVERS, len(_FOR_SERVERS)):
        # The name is the kernel's: it goes with the process, and no two can have it (unix(7), abstract sockets).
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0taskhub-port-{port}")
        except OSError:
            claim.close()
            continue
        if is_free(port):
            _claims.append(claim)
            return port
        claim.close()
    raise OSError(f"no free TCP port from {_FOR_SERVERS.start} to {_FOR_SERVERS.stop - 1}")
