"""Elasticsearch over TLS: its certificate is verified, by a private CA if one is named; a wrong one is an outage."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from elasticsearch import TransportError

from taskhub_core.search.client import SearchFailure, classify, make_async_client, make_client
from taskhub_core.settings import SearchSettings
from taskhub_local.testing.tls import LocalhostTrust, tls_before


@pytest.fixture(scope="module")
def url(trust: LocalhostTrust, elasticsearch_url: str) -> Iterator[str]:
    """Elasticsearch behind TLS, with a certificate of the private CA."""
    with tls_before(elasticsearch_url, trust) as port:
        yield f"https://localhost:{port}"


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


def test_a_certificate_of_the_named_ca_is_trusted(url: str, trust: LocalhostTrust) -> None:
    settings = _settings(url, trust.ca)
    assert _ask(settings) == asyncio.run(_ask_from_loop(settings)) != ""


@pytest.mark.parametrize("ca", ["none", "another", "missing"])
def test_any_other_certificate_is_an_outage_and_no_crash(url: str, tmp_path: Path, ca: str) -> None:
    file = {"none": None, "another": LocalhostTrust(tmp_path / "another").ca, "missing": tmp_path / "missing.crt"}[ca]
    settings = _settings(url, file)
    with pytest.raises(TransportError) as refused:
        _ask(settings)
    assert classify(refused.value) is SearchFailure.UNREACHABLE
    with pytest.raises(TransportError) as refused:
        asyncio.run(_ask_from_loop(settings))
    assert classify(refused.value) is SearchFailure.UNREACHABLE


def test_the_consumer_reads_a_ca_that_comes_late(url: str, trust: LocalhostTrust, tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    client = make_client(_settings(url, file), timeout_seconds=10)
    with pytest.raises(TransportError):
        client.cluster.health()
    file.write_bytes(trust.ca.read_bytes())
    assert client.cluster.health()["cluster_name"]
    client.close()


def test_without_tls_the_ca_is_not_asked_for(elasticsearch_url: str, tmp_path: Path) -> None:
    settings = _settings(elasticsearch_url, tmp_path / "missing.crt")
    assert _ask(settings) == asyncio.run(_ask_from_loop(settings))
