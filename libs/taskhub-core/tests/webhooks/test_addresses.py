"""Where webhooks may go: every kind of private address, in every disguise, is refused."""

import socket
import threading
from ipaddress import ip_address
from typing import Any

import pytest

from taskhub_core.errors import InvalidInput
from taskhub_core.webhooks.addresses import (
    AddressRefused,
    NameNotFound,
    check_address,
    check_literal,
    read_url,
    resolve,
)

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",  # carrier-grade NAT
    "100.100.100.200",  # a cloud's metadata
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # a cloud's metadata at a public address
    "169.254.169.254",  # most clouds' metadata
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",  # a cloud's metadata
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",  # IPv4-translated
    "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
    "64:ff9b::a9fe:a9fe",  # NAT64 of 169.254.169.254
    "64:ff9b:1::1",
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:808:808::",  # 6to4 of a public address: still nobody's way
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # a cloud's metadata
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
ALLOWED = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "172.32.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(ip_address(address))


@pytest.mark.parametrize("address", ALLOWED)
def test_public_addresses_are_allowed(address: str) -> None:
    check_address(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127.0.0.1./",
        "http://[::1]/",
        "http://[0:0:0:0:0:ffff:7f00:1]/",
        "http://[::ffff:127.0.0.1]:8080/",
        "https://169.254.169.254/latest/meta-data/",
        "http://localhost/",
        "http://LOCALHOST.:9000/",
        "http://db.localhost/",
    ],
)
def test_literal_private_hosts_are_refused_when_the_subscription_is_made(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_literal(read_url(url))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "//example.com/hook",
        "http://",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "unix:///run/docker.sock",
        "javascript:alert(1)",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/#fragment",
        "https://exam ple.com/",
        "https://example.com/a\nHost: other",
        "https://example.com/\r\nX: y",
        "https://example.com\t/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:http/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://" + "a" * 254 + "/",
        "https://example.com/" + "a" * 2_000,
        "https://%31%32%37.0.0.1%00/",
    ],
)
def test_urls_that_are_no_plain_http_address_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_url(url)
    assert refused.value.field == "url"


def test_a_url_is_read_into_its_parts() -> None:
    target = read_url("HTTPS://Exämple.com:8443/a%20b/?x=1&y=2")
    assert (target.scheme, target.host, target.port, target.path) == (
        "https",
        "xn--exmple-cua.com",
        8443,
        "/a%20b/?x=1&y=2",
    )
    assert target.host_header == "xn--exmple-cua.com:8443"
    assert read_url("http://example.com").path == "/"
    assert read_url("http://example.com:80/").host_header == "example.com"
    assert read_url("http://[2606:4700::1111]:81/").host_header == "[2606:4700::1111]:81"


def _answers(*addresses: str) -> list[Any]:
    return [
        (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))
        for address in addresses
    ]


def test_a_name_is_refused_if_one_of_its_addresses_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: _answers("8.8.8.8", "10.0.0.1"))
    target = read_url("https://hooks.example/")
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        resolve(target, timeout_seconds=1, allow_private=False)
    assert [str(address) for address in resolve(target, timeout_seconds=1, allow_private=True)] == [
        "8.8.8.8",
        "10.0.0.1",
    ]


def test_a_scope_does_not_hide_a_link_local_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: _answers("fe80::1%eth0"))
    with pytest.raises(AddressRefused):
        resolve(read_url("https://hooks.example/"), timeout_seconds=1, allow_private=False)


@pytest.mark.parametrize("host", ["hooks.invalid", "a" * 64 + ".example", ".example", "a..example"])
def test_names_that_do_not_resolve_are_told_apart(host: str) -> None:
    with pytest.raises(NameNotFound):
        resolve(read_url(f"https://{host}/"), timeout_seconds=20, allow_private=False)


def test_a_name_server_that_never_answers_does_not_hold_the_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        over.wait(30)
        return _answers("8.8.8.8")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        with pytest.raises(NameNotFound, match=r"not resolved in 0\.1 s"):
            resolve(read_url("https://hooks.example/"), timeout_seconds=0.1, allow_private=False)
    finally:
        over.set()
