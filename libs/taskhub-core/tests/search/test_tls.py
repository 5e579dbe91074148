"""Elasticsearch over TLS: its certificate is verified, by a private CA if one is named; a wrong one is an outage."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from elasticsearch import TransportError

from taskhub_core.search.client import SearchFailure, classify, make_async_client, make_client
from taskhub_core.settings import SearchSettings

_SIGNS_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """A CA of its own, in files: its certificate, and one of `localhost` with its key that it has signed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "private")])
        server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        own = (
            _certificate(name, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS_CERTIFICATES, critical=True)
            .add_extension(identifier, critical=False)
        )
        signed = (
            _certificate(server, server_key, issuer=name)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        )
        self.ca = folder / "ca.crt"
        self.ca.write_bytes(own.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        self.server = folder / "server.pem"
        self.server.write_bytes(
            server_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + signed.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, issuer: x509.Name | None = None
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "own")


@pytest.fixture(scope="module")
def url(authority: Authority, elasticsearch_url: str) -> Iterator[str]:
    """Elasticsearch behind TLS, with a certificate of the private CA."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.server)
    target = urlsplit(elasticsearch_url)
    loop = asyncio.new_event_loop()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(copy(reader, requests), copy(answers, writer))

    server = loop.run_until_complete(asyncio.start_server(forward, "localhost", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"https://localhost:{server.sockets[0].getsockname()[1]}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def _settings(url: str, ca: Path | None) -> SearchSettings:
    return SearchSettings.model_validate({"elasticsearch_url": url, "elasticsearch_ca_file": ca})


def _ask(settings: SearchSettings) -> str:
    """The cluster's name, as the consumer asks for it."""
    client = make_client(settings, timeout_seconds=10)
    try:
        return str(client.cluster.health()["cluster_name"])
    finally:
        client.close()


async def _ask_from_loop(settings: SearchSettings) -> str:
    """The same as the API asks for it."""
    client = make_async_client(settings, timeout_seconds=10)
    try:
        return str((await client.cluster.health())["cluster_name"])
    finally:
        await client.close()


def test_a_certificate_of_the_named_ca_is_trusted(url: str, authority: Authority) -> None:
    settings = _settings(url, authority.ca)
    assert _ask(settings) == asyncio.run(_ask_from_loop(settings)) != ""


@pytest.mark.parametrize("ca", ["none", "another", "missing"])
def test_any_other_certificate_is_an_outage_and_no_crash(url: str, tmp_path: Path, ca: str) -> None:
    file = {"none": None, "another": Authority(tmp_path / "another").ca, "missing": tmp_path / "missing.crt"}[ca]
    settings = _settings(url, file)
    with pytest.raises(TransportError) as refused:
        _ask(settings)
    assert classify(refused.value) is SearchFailure.UNREACHABLE
    with pytest.raises(TransportError) as refused:
        asyncio.run(_ask_from_loop(settings))
    assert classify(refused.value) is SearchFailure.UNREACHABLE


def test_the_consumer_reads_a_ca_that_comes_late(url: str, authority: Authority, tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    client = make_client(_settings(url, file), timeout_seconds=10)
    with pytest.raises(TransportError):
        client.cluster.health()
    file.write_bytes(authority.ca.read_bytes())
    assert client.cluster.health()["cluster_name"]
    client.close()


def test_without_tls_the_ca_is_not_asked_for(elasticsearch_url: str, tmp_path: Path) -> None:
    settings = _settings(elasticsearch_url, tmp_path / "missing.crt")
    assert _ask(settings) == asyncio.run(_ask_from_loop(settings))
