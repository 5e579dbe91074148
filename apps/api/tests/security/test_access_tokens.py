"""Access tokens: what is accepted, and everything that is not."""

import base64
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from taskhub_api.problems import Problem
from taskhub_api.security.access_tokens import AccessTokens, Caller
from taskhub_api.security.keyring import Keyring
from taskhub_api.security.refresh_tokens import RefreshTokens
from taskhub_api.settings import ApiSettings
from taskhub_core.accounts.models import Role
from taskhub_local.testing import wait_for

OLD, NEW = "the old key, of at least thirty-two bytes", "the new key, of at least thirty-two bytes"
CALLER = Caller(uuid.UUID("0190c5a8-6d1e-7000-8000-000000000001"), Role.USER)


def _settings(keys: dict[str, str], active: str) -> ApiSettings:
    return ApiSettings.model_validate(
        {
            "database_url": "postgresql://127.0.0.1/none",
            "redis_url": "redis://127.0.0.1/0",
            "jwt_keys": keys,
            "jwt_active_kid": active,
        }
    )


@pytest.fixture
def tokens() -> AccessTokens:
    return AccessTokens(_settings({"old": OLD}, "old"))


def _claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    claims = {
        "iss": "taskhub",
        "sub": str(CALLER.account_id),
        "role": "user",
        "iat": now,
        "exp": now + timedelta(hours=1),
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def _signed(key: Any = OLD, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(_claims(**changes), key, algorithm, headers={"kid": "old"} if headers is None else headers)


def _unsigned(header: dict[str, Any]) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value, default=str).encode()).rstrip(b"=").decode()

    claims = _claims()
    claims |= {name: int(claims[name].timestamp()) for name in ("iat", "exp")}
    return f"{part(header)}.{part(claims)}."


def test_a_token_of_ours_is_accepted(tokens: AccessTokens) -> None:
    assert tokens.check(tokens.sign(CALLER)) == CALLER
    assert tokens.check(_signed()) == CALLER


_LONG_AGO = datetime.now(UTC) - timedelta(days=1)
_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
REFUSED: dict[str, Callable[[], str]] = {
    "another key": lambda: _signed(NEW),
    "another algorithm of the same family": lambda: _signed(OLD * 2, "HS512"),
    "another algorithm with our key": lambda: _signed(OLD, "HS384"),
    "an asymmetric algorithm": lambda: _signed(_RSA, "RS256"),
    "alg none": lambda: _unsigned({"alg": "none", "kid": "old"}),
    "alg None": lambda: _unsigned({"alg": "None", "kid": "old"}),
    "no alg": lambda: _unsigned({"kid": "old"}),
    "no kid": lambda: _signed(headers={}),
    "an unknown kid": lambda: _signed(headers={"kid": "other"}),
    "a kid that is a path": lambda: _signed(headers={"kid": "../../dev/null"}),
    "an expired one": lambda: _signed(iat=_LONG_AGO, exp=_LONG_AGO + timedelta(minutes=15)),
    "another issuer": lambda: _signed(iss="somebody"),
    "no issuer": lambda: _signed(iss=None),
    "no expiry": lambda: _signed(exp=None),
    "no subject": lambda: _signed(sub=None),
    "a subject that is no id": lambda: _signed(sub="root"),
    "no role": lambda: _signed(role=None),
    "an unknown role": lambda: _signed(role="admin"),
    "a token of tomorrow": lambda: _signed(iat=datetime.now(UTC) + timedelta(days=1)),
    "a cut one": lambda: _signed()[:-3],
    "two parts": lambda: _signed().rpartition(".")[0],
    "four parts": lambda: _signed() + ".x",
    "nothing": lambda: "",
    "dots": lambda: "..",
    "letters": lambda: "é" * 50,
    "a refresh token": lambda: RefreshTokens(Keyring(_settings({"old": OLD}, "old"))).write(uuid.uuid4(), kid="old"),
    "other claims under the same signature": lambda: _swapped_claims(),
}


def _swapped_claims() -> str:
    head, _, mac = _signed().split(".")
    return ".".join((head, _signed(role="operator").split(".")[1], mac))


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")  # of the key for HS384
@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused(tokens: AccessTokens, name: str) -> None:
    with pytest.raises(Problem) as refused:
        tokens.check(REFUSED[name]())
    assert refused.value.slug == "unauthenticated"


def test_a_token_that_was_accepted_once_still_expires(tokens: AccessTokens) -> None:
    # One that is past its end already, and within what clocks may differ.
    token = tokens.sign(CALLER, issued_at=datetime.now(UTC) - tokens.valid_for - timedelta(seconds=3.5))
    assert tokens.check(token) == CALLER
    wait_for(lambda: _is_refused(tokens, token), message="the token is still accepted")
    fresh = tokens.sign(CALLER)
    assert all(tokens.check(fresh) == CALLER for _ in range(3))
    assert _is_refused(tokens, fresh + "x")


def _is_refused(tokens: AccessTokens, token: str) -> bool:
    try:
        tokens.check(token)
    except Problem:
        return True
    return False


@pytest.mark.parametrize("header", ["Bearer", "Basic dXNlcjpwYXNz", "Bearer a b", "token", ""])
def test_a_bad_authorization_header_is_answered_with_401(api: Any, header: str) -> None:
    answer = httpx.get(f"{api.url}/v1/me", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="taskhub"'


def test_an_old_key_is_accepted_until_it_is_removed() -> None:
    before, during, after = {"old": OLD}, {"old": OLD, "new": NEW}, {"new": NEW}
    token = AccessTokens(_settings(before, "old")).sign(CALLER)
    assert AccessTokens(_settings(during, "new")).check(token) == CALLER
    with pytest.raises(Problem):
        AccessTokens(_settings(after, "new")).check(token)


def test_new_tokens_are_signed_with_the_active_key() -> None:
    token = AccessTokens(_settings({"old": OLD, "new": NEW}, "new")).sign(CALLER)
    assert jwt.get_unverified_header(token)["kid"] == "new"
    assert AccessTokens(_settings({"new": NEW}, "new")).check(token) == CALLER


def test_refresh_tokens_follow_the_keys_too() -> None:
    def of(keys: dict[str, str], active: str) -> RefreshTokens:
        return RefreshTokens(Keyring(_settings(keys, active)))

    token_id = uuid.uuid4()
    token = of({"old": OLD}, "old").write(token_id, kid="old")
    assert of({"old": OLD, "new": NEW}, "new").read(token) == token_id
    assert of({"new": NEW}, "new").read(token) is None
    assert of({"old": NEW}, "old").read(token) is None


def test_one_key_serves_two_purposes_with_two_different_macs() -> None:
    keyring = Keyring(_settings({"old": OLD}, "old"))
    assert keyring.mac("one", b"x") != keyring.mac("other", b"x")
    assert not keyring.is_mac(keyring.mac("one", b"x"), "other", b"x")


def test_a_request_described_under_an_old_key_is_recognised_after_rotation() -> None:
    mac = Keyring(_settings({"old": OLD}, "old")).mac("request", b"x")
    assert Keyring(_settings({"old": OLD, "new": NEW}, "new")).is_mac(mac, "request", b"x")


@pytest.mark.parametrize(
    ("keys", "active"),
    [({"old": "short"}, "old"), ({"old": OLD}, "new"), ({}, "old")],
    ids=["short", "unknown", "none"],
)
def test_unusable_keys_stop_the_start(keys: dict[str, str], active: str) -> None:
    with pytest.raises(ValueError, match="jwt_"):
        _settings(keys, active)
