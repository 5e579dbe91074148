"""Rate limits of logins and registrations, on a real Redis, and without one."""

import signal
import time
import uuid
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.requests import Request

from taskhub_api.security.rate_limits import client_network
from taskhub_local.parts.redis import RedisPart
from taskhub_local.testing import wait_for

PASSWORD = "a long enough password"


def _log_in(api: Any, email: str, password: str = PASSWORD, *, address: str = "192.0.2.1") -> httpx.Response:
    # uvicorn believes X-Forwarded-For from loopback by default, as behind the ingress.
    headers = {"X-Forwarded-For": address}
    return httpx.post(f"{api.url}/v1/token", json={"email": email, "password": password}, headers=headers, timeout=20)


def _register(api: Any, address: str = "192.0.2.1") -> httpx.Response:
    body = {"email": f"{uuid.uuid4().hex}@example.org", "password": PASSWORD}
    return httpx.post(f"{api.url}/v1/accounts", json=body, headers={"X-Forwarded-For": address}, timeout=20)


def _bypassed() -> float:
    return REGISTRY.get_sample_value("taskhub_rate_limiter_bypassed_total") or 0.0


def test_logins_are_limited_by_address(serve_api: Any, clean_redis: str) -> None:
    api = serve_api(cache_url=clean_redis, login_limit_per_minute=3)
    answers = [_log_in(api, f"{uuid.uuid4().hex}@example.org") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"login-address";q=3;w=60, "login-email";q=30;w=3600'
    assert [answer.headers["RateLimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
    refused = answers[-1]
    assert refused.json()["type"] == "/problems/rate-limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert _log_in(api, "someone@example.org", address="192.0.2.2").status_code == 401


def test_failed_logins_are_limited_by_account_wherever_they_come_from(serve_api: Any, clean_redis: str) -> None:
    api = serve_api(cache_url=clean_redis, login_failures_per_email_per_hour=3)
    email = _register(api).json()["email"]
    answers = [_log_in(api, email, "a wrong password", address=f"192.0.2.{n}") for n in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert _log_in(api, email.upper(), address="192.0.2.9").status_code == 429


def test_a_right_password_clears_the_failures_before_it(serve_api: Any, clean_redis: str) -> None:
    api = serve_api(cache_url=clean_redis, login_failures_per_email_per_hour=3)
    email = _register(api).json()["email"]
    for _ in range(3):
        assert _log_in(api, email, "a wrong password").status_code == 401
        assert _log_in(api, email).status_code == 200


def test_registrations_are_limited_by_address(serve_api: Any, clean_redis: str) -> None:
    api = serve_api(cache_url=clean_redis, register_limit_per_hour=2)
    assert [_register(api).status_code for _ in range(3)] == [201, 201, 429]
    assert _register(api, "192.0.2.2").status_code == 201


def test_an_address_over_its_limit_cannot_use_up_the_limit_of_an_account(serve_api: Any, clean_redis: str) -> None:
    api = serve_api(cache_url=clean_redis, login_limit_per_minute=2, login_failures_per_email_per_hour=4)
    email = _register(api).json()["email"]
    for _ in range(6):
        _log_in(api, email, "a wrong password", address="192.0.2.66")
    assert _log_in(api, email, address="192.0.2.1").status_code == 200


def test_without_a_cache_everybody_is_let_through(serve_api: Any) -> None:
    api = serve_api(login_limit_per_minute=1)
    before = _bypassed()
    answers = [_log_in(api, "someone@example.org") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert "RateLimit" not in answers[0].headers
    assert _bypassed() > before


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "killed"])
def test_a_cache_that_is_away_lets_everybody_through_and_counts_when_it_is_back(
    serve_api: Any, own_redis: RedisPart, how: signal.Signals
) -> None:
    api = serve_api(cache_url=own_redis.url, login_limit_per_minute=2)
    assert [_log_in(api, "a@example.org").status_code for _ in range(3)] == [401, 401, 429]

    own_redis.kill(how)
    before = _bypassed()
    started = time.monotonic()
    assert [_log_in(api, "a@example.org").status_code for _ in range(3)] == [401, 401, 401]
    assert time.monotonic() - started < 5
    assert _bypassed() > before

    if how is signal.SIGSTOP:
        own_redis.kill(signal.SIGCONT)
    else:
        own_redis.restart()
    wait_for(
        lambda: _log_in(api, "a@example.org").status_code == 429,
        deadline_seconds=20,
        message="the limiter did not count again",
    )


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("not an address", "not an address"),
        (None, "unknown"),
    ],
)
def test_clients_are_told_apart_by_address_and_ipv6_by_network(host: str | None, network: str) -> None:
    client = None if host is None else (host, 1234)
    assert client_network(Request({"type": "http", "client": client})) == network
