"""One delivery on the wire: to the checked address, under the URL's name, within the deadline, and nowhere else."""

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from taskhub_core.webhooks import addresses
from taskhub_core.webhooks.addresses import AddressRefused, read_url
from taskhub_core.webhooks.delivery import Answer, DeliveryFailed, post


def _post(url: str, *, timeout_seconds: float = 5.0, **options: Any) -> Answer:
    options = {"headers": {"X-Test": "1"}, "body": b"{}", "allow_private": True, **options}
    return post(read_url(url), timeout_seconds=timeout_seconds, **options)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes every .example name lead to this machine, and tells which names were looked up."""
    names: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, port: Any, *args: Any, **options: Any) -> Any:
        if host.endswith(".example"):
            names.append(host)
            assert len(names) == 1, "the name was looked up a second time: that is where DNS rebinding gets in"
            return real("127.0.0.1", port, *args, **options)
        return real(host, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return names


def test_the_connection_goes_to_the_address_that_was_checked(receiver: Any, asked: list[str]) -> None:
    assert _post(f"http://hooks.example:{receiver.port}/a?b=c").status == 200
    (request,) = receiver.requests
    assert request.path == "/a?b=c"
    assert request.headers["Host"] == f"hooks.example:{receiver.port}"
    assert request.body == b"{}"
    assert asked == ["hooks.example"]


def test_private_addresses_are_not_even_connected_to(receiver: Any, asked: list[str]) -> None:
    for url in (receiver.url, f"http://hooks.example:{receiver.port}/"):
        with pytest.raises(AddressRefused):
            _post(url, allow_private=False)
    assert receiver.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(receiver: Any, status: int) -> None:
    receiver.status = status
    receiver.headers = {"Location": f"http://127.0.0.1:{receiver.port}/admin"}
    assert _post(receiver.url).status == status
    assert [request.path for request in receiver.requests] == ["/hook?token=in-the-url"]


def test_the_next_address_is_tried_when_one_does_not_answer(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [ip_address("127.0.0.2"), ip_address("127.0.0.1")]  # nothing listens on the first
    monkeypatch.setattr(addresses, "_look_up", lambda *_: both)
    assert _post(f"http://hooks.example:{receiver.port}/").status == 200


def test_a_refused_connection_is_a_failed_delivery() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(DeliveryFailed, match="ConnectError"):
            _post(f"http://127.0.0.1:{unused.getsockname()[1]}/")


def _drip(receiver: Any, start: bytes, piece: bytes) -> None:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(start)
        while not receiver.stopped.wait(0.05):
            handler.wfile.write(piece)

    receiver.behave = behave


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"", b""),
    ],
    ids=["headers without end", "early hints without end", "silence"],
)
def test_a_receiver_that_drips_cannot_hold_the_worker_past_the_deadline(
    receiver: Any, start: bytes, piece: bytes
) -> None:
    _drip(receiver, start, piece)
    began = time.monotonic()
    with pytest.raises(DeliveryFailed, match=r"did not answer in 0\.5 s"):
        _post(receiver.url, timeout_seconds=0.5)
    assert time.monotonic() - began < 5


def test_an_endless_body_is_not_read(receiver: Any) -> None:
    _drip(receiver, b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536)
    assert _post(receiver.url, timeout_seconds=30).status == 200


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH\r\n", b"\x00" * 300, b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 40_000]
)
def test_an_answer_that_is_not_http_is_a_failed_delivery(receiver: Any, answer: bytes) -> None:
    receiver.behave = lambda handler: handler.wfile.write(answer)
    with pytest.raises(DeliveryFailed):
        _post(receiver.url)


def _certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    return path


@pytest.mark.parametrize(("host", "trusted"), [("hooks.example", True), ("other.example", False)])
def test_certificates_are_verified_for_the_host_of_the_url(
    receiver: Any, asked: list[str], tmp_path: Path, host: str, trusted: bool
) -> None:
    pem = _certificate(tmp_path, "hooks.example")
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pem)
    receiver.server.socket = server_side.wrap_socket(receiver.server.socket, server_side=True)
    client_side = ssl.create_default_context(cafile=str(pem))
    url = f"https://{host}:{receiver.port}/hook"
    if trusted:
        assert _post(url, ssl_context=client_side).status == 200
    else:
        with pytest.raises(DeliveryFailed, match="CERTIFICATE_VERIFY_FAILED"):
            _post(url, ssl_context=client_side)
    assert len(receiver.requests) == int(trusted)


def test_a_certificate_nobody_signed_is_refused(receiver: Any, asked: list[str], tmp_path: Path) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(_certificate(tmp_path, "hooks.example"))
    receiver.server.socket = server_side.wrap_socket(receiver.server.socket, server_side=True)
    with pytest.raises(DeliveryFailed, match="CERTIFICATE_VERIFY_FAILED"):
        _post(f"https://hooks.example:{receiver.port}/")
    assert receiver.requests == []
