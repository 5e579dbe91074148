"""Keeps webhooks out of networks they have no business in (server-side request forgery): which URLs, which addresses.

A name is judged by what it resolves to at the moment of the connection, and the connection goes to the very address
that was judged (webhooks/delivery.py): a name that answers differently the second time (DNS rebinding) gains nothing.
"""

import queue
import socket
import threading
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Annotated

from pydantic import AnyUrl, TypeAdapter, UrlConstraints, ValidationError

from taskhub_core.errors import InvalidInput, TaskHubError

URL_CHARS = 2_000
_HOST_CHARS = 253
type Address = IPv4Address | IPv6Address

# Beyond what ipaddress knows as not global.
_REFUSED_V4 = (
    IPv4Network("192.88.99.0/24"),  # 6to4 relays (RFC 7526)
    IPv4Network("168.63.129.16/32"),  # the metadata and agent address of Azure's hosts: public in form only
)
# All that IANA gives out: loopback, unique local, link-local and site-local addresses lie outside.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_REFUSED_V6 = (
    IPv6Network("2001::/23"),  # IETF protocol assignments, Teredo among them
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4: an IPv4 address in disguise, and nobody's way any more
    IPv6Network("3fff::/20"),  # documentation
)


class AddressRefused(TaskHubError):
    """The URL leads, or its host resolves, to an address that webhooks must not reach."""


class NameNotFound(TaskHubError):
    """The host's name could not be resolved, or not in time."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: what a connection needs, read once, by one parser."""

    url: str
    scheme: str
    host: str
    """In ASCII; an IPv6 address is without its brackets."""
    port: int
    path: str
    """With the query."""

    @property
    def host_header(self) -> str:
        """The Host header: with the port only where it is not the scheme's own (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


_PORTS = {"http": 80, "https": 443}
_URL = TypeAdapter(
    Annotated[AnyUrl, UrlConstraints(allowed_schemes=list(_PORTS), max_length=URL_CHARS, host_required=True)]
)


def read_url(url: str) -> Target:
    """Reads a subscription's URL. Raises InvalidInput (field `url`)."""
    # The WHATWG parser drops tabs and line breaks and turns backslashes round: nobody means those, so they are refused.
    if any(char <= " " or char in '\\"<>`\x7f' for char in url):
        raise InvalidInput("The URL contains blanks, control characters or backslashes.", field="url")
    try:
        parsed = _URL.validate_python(url)
    except ValidationError as error:
        raise InvalidInput(f"The URL cannot be used: {error.errors()[0]['msg']}.", field="url") from error
    if parsed.username is not None or parsed.password is not None:
        raise InvalidInput(
            "The URL contains a user name or password. Deliveries are signed; check the signature instead.", field="url"
        )
    if parsed.fragment is not None:
        raise InvalidInput("The URL contains a fragment (#...), which is never sent.", field="url")
    host = (parsed.host or "").removeprefix("[").removesuffix("]").lower()
    if not host.rstrip(".") or len(host) > _HOST_CHARS:
        raise InvalidInput(f"The URL's host must have 1 to {_HOST_CHARS} characters.", field="url")
    port = _PORTS[parsed.scheme] if parsed.port is None else parsed.port
    if port == 0:
        raise InvalidInput("The URL's port must be 1 to 65535.", field="url")
    path = (parsed.path or "/") + (f"?{parsed.query}" if parsed.query is not None else "")
    return Target(str(parsed), parsed.scheme, host, port, path)


def check_literal(target: Target) -> None:
    """Refuses what is known to be private without asking a name server. Raises AddressRefused."""
    address = _literal(target.host)
    if address is not None:
        check_address(address)
    name = target.host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        raise AddressRefused(f"Webhooks must not be sent to {name}: it is a loopback name.")


def check_address(address: Address) -> None:
    """Raises AddressRefused unless the address is one of the public internet."""
    if not _is_public(address):
        raise AddressRefused(f"Webhooks must not be sent to {address}: it is not an address of the public internet.")


def resolve(target: Target, *, timeout_seconds: float, allow_private: bool) -> list[Address]:
    """The addresses to connect to, in the order to try.

    Raises AddressRefused when even one of them is not public, as no honest name mixes the two, and NameNotFound.
    """
    literal = _literal(target.host)
    addresses = [literal] if literal is not None else _look_up(target.host, target.port, timeout_seconds)
    if not allow_private:
        for address in addresses:
            check_address(address)
    return addresses


def _literal(host: str) -> Address | None:
    # The URL's parser has turned 0x7f.1, 2130706433 and the like into dotted decimals by now.
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if address in _NAT64:
            return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        refused = any(address in network for network in _REFUSED_V6)
        return address in _GLOBAL_UNICAST and address.is_global and not refused
    refused = any(address in network for network in _REFUSED_V4)
    return address.is_global and not (address.is_multicast or address.is_reserved or refused)


def _look_up(host: str, port: int, timeout_seconds: float) -> list[Address]:
    # getaddrinfo takes no timeout and may wait for half a minute: it gets a thread that may be left behind.
    answers: queue.SimpleQueue[list[Address] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            answers.put(error)
        else:
            answers.put([ip_address(str(entry[4][0])) for entry in found])

    threading.Thread(target=ask, name="webhook-name", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_seconds)
    except queue.Empty:
        raise NameNotFound(f"The name {host} was not resolved in {timeout_seconds:.1f} s.") from None
    if isinstance(answer, Exception):
        raise NameNotFound(f"The name {host} cannot be resolved.") from answer
    return list(dict.fromkeys(answer))
