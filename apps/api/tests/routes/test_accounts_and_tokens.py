"""Registering, logging in, refreshing and logging out, by HTTP."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

PASSWORD = "a long enough password"


@pytest.fixture
def http(api: Any) -> Iterator[httpx.Client]:
    """A client without a token."""
    with httpx.Client(base_url=api.url, timeout=20) as client:
        yield client


def _email() -> str:
    return f"{uuid.uuid4().hex}@example.org"


def _registered(http: httpx.Client) -> str:
    email = _email()
    assert http.post("/v1/accounts", json={"email": email, "password": PASSWORD}).status_code == 201
    return email


def _logged_in(http: httpx.Client, email: str | None = None) -> dict[str, Any]:
    answer = http.post("/v1/token", json={"email": email or _registered(http), "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def _refresh(http: httpx.Client, token: str, *, key: str | None = None) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return http.post("/v1/token/refresh", json={"refresh_token": token}, headers=headers)


def _me(http: httpx.Client, access_token: str) -> httpx.Response:
    return http.get("/v1/me", headers={"Authorization": f"Bearer {access_token}"})


def test_registering_makes_an_account_and_its_welcome_mail(http: httpx.Client, engine: Engine) -> None:
    email = _email()
    answer = http.post("/v1/accounts", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201
    account = answer.json()
    assert set(account) == {"id", "email", "role", "created_at"}
    assert (account["email"], account["role"]) == (email, "user")
    with engine.connect() as connection:
        jobs = connection.execute(text("SELECT kind, state FROM jobs WHERE account_id = :id"), {"id": account["id"]})
        assert [tuple(job) for job in jobs] == [("email.welcome", "queued")]


def test_an_address_can_be_registered_once_whatever_its_case(http: httpx.Client) -> None:
    email = _registered(http)
    answer = http.post("/v1/accounts", json={"email": email.upper(), "password": PASSWORD})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("nobody", PASSWORD),
        ("a@b@example.org", PASSWORD),
        ("nobody@localhost", PASSWORD),
        ("nobody\x00@example.org", PASSWORD),
        ("nobody@example.org", "elevenchars"),
        ("nobody@example.org", "x" * 257),
        ("nobody@example.org", 123456789012),
        ("nobody@example.org", None),
    ],
)
def test_bad_addresses_and_passwords_are_refused(http: httpx.Client, email: str, password: Any) -> None:
    answer = http.post("/v1/accounts", json={"email": email, "password": password})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")
    assert "elevenchars" not in answer.text


@pytest.mark.parametrize("escape", [rb"\ud800", rb"\udc00"])
def test_a_password_with_half_a_surrogate_pair_is_refused(http: httpx.Client, escape: bytes) -> None:
    body = b'{"email": "someone@example.org", "password": "a long enough ' + escape + b'"}'
    answer = http.post("/v1/accounts", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}


def test_registering_twice_with_one_key_makes_one_account(http: httpx.Client) -> None:
    body = {"email": _email(), "password": PASSWORD}
    first = http.post("/v1/accounts", json=body, headers={"Idempotency-Key": "1"})
    again = http.post("/v1/accounts", json=body, headers={"Idempotency-Key": "1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"


def test_two_clients_may_use_the_same_key_for_their_own_addresses(http: httpx.Client) -> None:
    for _ in range(2):
        body = {"email": _email(), "password": PASSWORD}
        assert http.post("/v1/accounts", json=body, headers={"Idempotency-Key": "1"}).status_code == 201


def test_logging_in_gives_tokens_that_say_who_one_is(http: httpx.Client) -> None:
    email = _registered(http)
    answer = http.post("/v1/token", json={"email": email.upper(), "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    tokens = answer.json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    assert _me(http, tokens["access_token"]).json()["email"] == email


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(http: httpx.Client) -> None:
    wrong = http.post("/v1/token", json={"email": _registered(http), "password": "not the password"})
    unknown = http.post("/v1/token", json={"email": _email(), "password": PASSWORD})
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert {**wrong.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
    assert wrong.headers["WWW-Authenticate"].startswith("Bearer")


def test_logging_in_again_with_one_key_gives_the_same_tokens(http: httpx.Client) -> None:
    body = {"email": _registered(http), "password": PASSWORD}
    first = http.post("/v1/token", json=body, headers={"Idempotency-Key": "login-1"})
    again = http.post("/v1/token", json=body, headers={"Idempotency-Key": "login-1"})
    assert again.json() == first.json()
    assert again.headers["Cache-Control"] == "no-store"
    assert again.headers["Idempotent-Replayed"] == "true"


def test_refreshing_rotates_the_refresh_token(http: httpx.Client) -> None:
    first = _logged_in(http)
    second = _refresh(http, first["refresh_token"])
    assert second.status_code == 200
    assert second.json()["refresh_token"] != first["refresh_token"]
    assert _refresh(http, second.json()["refresh_token"]).status_code == 200


def test_using_a_refresh_token_twice_ends_the_session(http: httpx.Client) -> None:
    stolen = _logged_in(http)["refresh_token"]
    fresh = _refresh(http, stolen).json()["refresh_token"]
    assert _refresh(http, stolen).status_code == 401
    assert _refresh(http, fresh).status_code == 401


def test_one_session_ends_without_another_of_the_account(http: httpx.Client) -> None:
    email = _registered(http)
    one, other = _logged_in(http, email), _logged_in(http, email)
    _refresh(http, one["refresh_token"])
    assert _refresh(http, one["refresh_token"]).status_code == 401
    assert _refresh(http, other["refresh_token"]).status_code == 200


def test_a_repeated_refresh_with_its_key_gets_the_same_tokens_again(http: httpx.Client) -> None:
    token = _logged_in(http)["refresh_token"]
    first, again = _refresh(http, token, key="r-1"), _refresh(http, token, key="r-1")
    assert first.status_code == 200
    assert again.json() == first.json()
    assert _refresh(http, again.json()["refresh_token"]).status_code == 200


def test_concurrent_refreshes_with_one_key_get_the_same_tokens(http: httpx.Client) -> None:
    token = _logged_in(http)["refresh_token"]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: _refresh(http, token, key="twins"), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert _refresh(http, answers[0].json()["refresh_token"]).status_code == 200


def test_of_concurrent_refreshes_without_a_key_one_wins_and_the_session_ends(http: httpx.Client) -> None:
    token = _logged_in(http)["refresh_token"]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: _refresh(http, token), range(8)))
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert {answer.status_code for answer in answers if answer not in won} == {401}
    assert _refresh(http, won[0].json()["refresh_token"]).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "k.0190c5a8-6d1e-7000-8000-000000000000.AAAA", "é.ü.ö", "." * 400])
def test_garbage_in_place_of_a_refresh_token_is_refused(http: httpx.Client, token: str) -> None:
    assert _refresh(http, token).status_code == 401
    assert http.post("/v1/token/revoke", json={"refresh_token": token}).status_code == 204


def test_a_refresh_token_with_another_mac_is_refused(http: httpx.Client) -> None:
    token = _logged_in(http)["refresh_token"]
    last = "A" if token[-2] != "A" else "B"
    assert _refresh(http, token[:-2] + last + token[-1]).status_code == 401
    assert _refresh(http, token).status_code == 200


def test_logging_out_ends_the_session(http: httpx.Client) -> None:
    first = _logged_in(http)
    second = _refresh(http, first["refresh_token"]).json()
    assert http.post("/v1/token/revoke", json={"refresh_token": second["refresh_token"]}).status_code == 204
    assert _refresh(http, second["refresh_token"]).status_code == 401
    assert http.post("/v1/token/revoke", json={"refresh_token": second["refresh_token"]}).status_code == 204


def test_an_expired_refresh_token_is_refused(http: httpx.Client, engine: Engine) -> None:
    tokens = _logged_in(http)
    account_id = _me(http, tokens["access_token"]).json()["id"]
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE refresh_tokens SET expires_at = now() WHERE account_id = :id"), {"id": account_id}
        )
    assert _refresh(http, tokens["refresh_token"]).status_code == 401


def test_the_token_of_a_deleted_account_is_refused(http: httpx.Client, engine: Engine) -> None:
    tokens = _logged_in(http)
    account_id = _me(http, tokens["access_token"]).json()["id"]
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM accounts WHERE id = :id"), {"id": account_id})
    assert _me(http, tokens["access_token"]).status_code == 401
    assert _refresh(http, tokens["refresh_token"]).status_code == 401


def test_a_new_role_is_in_the_next_access_token(http: httpx.Client, engine: Engine) -> None:
    tokens = _logged_in(http)
    account_id = _me(http, tokens["access_token"]).json()["id"]
    with engine.begin() as connection:
        connection.execute(text("UPDATE accounts SET role = 'operator' WHERE id = :id"), {"id": account_id})
    fresh = _refresh(http, tokens["refresh_token"]).json()
    assert _me(http, fresh["access_token"]).json()["role"] == "operator"


def test_sessions_outlive_a_rotation_of_keys_until_the_old_key_is_removed(serve_api: Any) -> None:
    old, new = "the old key, of at least thirty-two bytes", "the new key, of at least thirty-two bytes"

    def client(active: str, **keys: str) -> httpx.Client:
        return httpx.Client(base_url=serve_api(jwt_keys=keys, jwt_active_kid=active).url, timeout=20)

    with client("old", old=old) as before, client("new", old=old, new=new) as during, client("new", new=new) as after:
        tokens = _logged_in(before)
        kept = before.post("/v1/token/refresh", json={"refresh_token": _logged_in(before)["refresh_token"]}).json()
        assert _me(during, tokens["access_token"]).status_code == 200
        fresh = _refresh(during, tokens["refresh_token"], key="rotated").json()
        assert _refresh(during, tokens["refresh_token"], key="rotated").json() == fresh
        assert _me(after, fresh["access_token"]).status_code == 200
        assert _refresh(after, fresh["refresh_token"]).status_code == 200
        assert _me(after, tokens["access_token"]).status_code == 401
        assert _refresh(after, kept["refresh_token"]).status_code == 401


def test_a_password_is_hashed_anew_at_the_next_login_after_the_parameters_changed(
    serve_api: Any, http: httpx.Client, engine: Engine
) -> None:
    weaker = serve_api(password_time_cost=1, password_memory_kib=1_024)
    with httpx.Client(base_url=weaker.url, timeout=20) as client:
        email = _registered(client)
    query = text("SELECT password_hash FROM accounts WHERE email = :email")

    def stored() -> str:
        with engine.connect() as connection:
            return str(connection.execute(query, {"email": email}).scalar_one())

    assert "m=1024,t=1,p=1" in stored()
    _logged_in(http, email)
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored()
    _logged_in(http, email)
