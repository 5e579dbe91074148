"""Redis over TLS: its certificate is verified, by a private CA if one is named, by Celery and by our own clients."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kombu.exceptions
import pytest
import redis

from taskhub_core.jobs.broker import make_celery
from taskhub_core.jobs.settings import JobSettings
from taskhub_core.redis_tls import tls_options
from taskhub_core.settings import BrokerSettings
from taskhub_local.testing.tls import LocalhostTrust, tls_before


@pytest.fixture(scope="module")
def url(trust: LocalhostTrust, redis_url: str) -> Iterator[str]:
    """Redis behind TLS, with a certificate of the private CA."""
    with tls_before(redis_url, trust) as port:
        yield f"rediss://localhost:{port}/0"


def _settings(url: str, ca: Path | None) -> BrokerSettings:
    return BrokerSettings.model_validate({"redis_url": url, "redis_ca_file": ca})


def _ping_by_celery(settings: BrokerSettings) -> None:
    with make_celery(settings, JobSettings()).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=5)


def _ping(settings: BrokerSettings) -> bool:
    options: dict[str, Any] = tls_options(settings.redis_url, settings)
    with redis.Redis.from_url(str(settings.redis_url), socket_timeout=5, **options) as client:
        return bool(client.ping())


def test_a_certificate_of_the_named_ca_is_trusted(url: str, trust: LocalhostTrust) -> None:
    settings = _settings(url, trust.ca)
    _ping_by_celery(settings)
    assert _ping(settings)


@pytest.mark.parametrize("ca", ["none", "another", "missing"])
def test_any_other_certificate_is_refused(url: str, tmp_path: Path, ca: str) -> None:
    file = {"none": None, "another": LocalhostTrust(tmp_path / "another").ca, "missing": tmp_path / "missing.crt"}[ca]
    settings = _settings(url, file)
    with pytest.raises(kombu.exceptions.OperationalError):
        _ping_by_celery(settings)
    with pytest.raises(redis.ConnectionError):
        _ping(settings)


def test_a_certificate_for_another_name_is_refused(url: str, trust: LocalhostTrust) -> None:
    settings = _settings(url.replace("localhost", "127.0.0.1"), trust.ca)
    with pytest.raises(kombu.exceptions.OperationalError):
        _ping_by_celery(settings)
    with pytest.raises(redis.ConnectionError):
        _ping(settings)


def test_without_tls_the_ca_is_not_asked_for(redis_url: str, tmp_path: Path) -> None:
    settings = _settings(redis_url, tmp_path / "missing.crt")
    _ping_by_celery(settings)
    assert _ping(settings)
