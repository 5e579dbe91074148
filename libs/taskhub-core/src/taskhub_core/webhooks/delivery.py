"""Posts one delivery: to an address that was checked, within one deadline, following nothing and believing nothing.

httpcore is used below httpx, because a custom network backend is part of its public interface: it is what connects to
the checked address and holds every read and write to the deadline. (httpx counts its timeouts anew for every read: a
receiver that sends a byte now and then would hold a worker for ever.)
"""

import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore
import httpx

from taskhub_core.errors import TaskHubError
from taskhub_core.webhooks.addresses import Address, Target, resolve


class DeliveryFailed(TaskHubError):
    """No answer came: the connection, TLS or HTTP failed, or the time was up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver answered; its body is not read."""

    status: int
    retry_after: str | None


class _Deadline:
    """How much of the delivery's time is left."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, more than 0. Raises httpcore.TimeoutException when the time is up."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore.TimeoutException("the time for the delivery is up")
        return left


class _Stream(httpcore.NetworkStream):
    """A connection whose every operation gets what is left of the deadline, whatever timeout the caller names."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline decides
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _CheckedAddresses(httpcore.NetworkBackend):
    """Connects to the addresses that were checked, never to a name."""

    def __init__(self, addresses: Sequence[Address], deadline: _Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception | None = None
        for place, address in enumerate(self._addresses):
            # An address that swallows packets must leave time for the next one.
            patience = self._deadline.left() / (len(self._addresses) - place)
            try:
                stream = self._network.connect_tcp(str(address), port, patience, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._deadline)
        raise failure or httpcore.ConnectError(f"{host} has no address")


@cache
def _ssl_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def post(
    target: Target,
    *,
    headers: Mapping[str, str],
    body: bytes,
    timeout_seconds: float,
    allow_private: bool,
    ssl_context: ssl.SSLContext | None = None,
) -> Answer:
    """Posts the body and returns the answer's status, whatever it is; redirects are answers like any other.

    `timeout_seconds` is for all of it: name, connection, TLS, request and the answer's head. Certificates are verified
    for the host of the URL. Raises AddressRefused, NameNotFound and DeliveryFailed.
    """
    deadline = _Deadline(timeout_seconds)
    addresses = resolve(target, timeout_seconds=timeout_seconds, allow_private=allow_private)
    url = httpcore.URL(
        scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
    )
    sent = [("Host", target.host_header), *headers.items(), ("Content-Length", str(len(body))), ("Connection", "close")]
    extensions = {"sni_hostname": target.host.removesuffix(".")}
    try:
        with (
            httpcore.ConnectionPool(
                ssl_context=ssl_context or _ssl_context(), network_backend=_CheckedAddresses(addresses, deadline)
            ) as pool,
            pool.stream("POST", url, headers=sent, content=body, extensions=extensions) as response,
        ):
            return Answer(response.status, _header(response, b"retry-after"))
    except httpcore.TimeoutException as error:
        raise DeliveryFailed(f"{target.host} did not answer in {timeout_seconds:g} s.") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, ValueError) as error:
        # ValueError: a host that TLS cannot name.
        raise DeliveryFailed(f"The delivery to {target.host} failed: {type(error).__name__}: {error}") from error


def _header(response: httpcore.Response, name: bytes) -> str | None:
    values = [value for key, value in response.headers if key.lower() == name]
    return values[0].decode("latin-1") if values else None
