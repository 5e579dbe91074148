"""A TCP proxy before a shared server, so that one test can cut it off or freeze it and no other test notices."""

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

_CHUNK = 65_536
_HOST = "127.0.0.1"


class TcpProxy:
    """Stands before one server, on a port that stays the same through `refuse` and `restore`. A context manager."""

    def __init__(self, target_url: str) -> None:
        self._target = urlsplit(target_url)
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = socket.create_server((_HOST, 0))
        self._port = int(self._listener.getsockname()[1])
        self._accept(self._listener)

    @property
    def url(self) -> str:
        """The server's URL, through this proxy."""
        credentials, at, _ = self._target.netloc.rpartition("@")
        return urlunsplit(self._target._replace(netloc=f"{credentials}{at}{_HOST}:{self._port}"))

    def refuse(self) -> None:
        """Breaks every connection and refuses new ones, as if the server were gone."""
        with self._lock:
            listener, self._listener = self._listener, None
            connections, self._open = self._open, set()
        if listener is not None:
            # Closing alone would leave the thread that accepts with a socket that still takes connections.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Keeps connections, takes new ones, and lets nothing through, as if the server were stopped by a signal."""
        self._flowing.clear()

    def restore(self) -> None:
        """Ends `refuse` and `freeze`."""
        self._flowing.set()
        if self._listener is None:
            self._listener = socket.create_server((_HOST, self._port))
            self._accept(self._listener)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flowing.set()
        self.refuse()

    def _accept(self, listener: socket.socket) -> None:
        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=self._serve, args=(client,), name="proxy-serve", daemon=True).start()

        threading.Thread(target=accept, name="proxy-accept", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            self._flowing.wait()
            with socket.create_connection((self._target.hostname or _HOST, self._target.port or 80)) as server:
                with self._lock:
                    if self._listener is None:
                        return
                    self._open |= {client, server}
                self._pump(client, server)

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        try:
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(_CHUNK)
                    self._flowing.wait()
                    if not data:
                        return
                    other[source].sendall(data)
        finally:
            with self._lock:
                self._open -= {client, server}
