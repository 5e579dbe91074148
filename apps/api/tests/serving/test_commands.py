"""The commands beside `serve`."""

import io
import json
import os
import sys
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from taskhub_api.__main__ import main

PASSWORD = "an operator's password"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command with only these settings in the environment, and returns what it wrote."""
    for name in list(os.environ):
        if name.startswith("TASKHUB_"):
            monkeypatch.delenv(name)

    def run(*arguments: str, stdin: str = "", **settings: str) -> str:
        monkeypatch.setattr(sys, "argv", ["taskhub-api", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        for name, value in settings.items():
            monkeypatch.setenv(f"TASKHUB_{name}", value)
        capsys.readouterr()
        main()
        return capsys.readouterr().out

    return run


@pytest.fixture
def settings(database_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "JWT_KEYS": json.dumps({"test": "a-key-that-only-signs-tokens-of-tests"}),
        "JWT_ACTIVE_KID": "test",
    }


def test_an_account_becomes_an_operator_with_the_new_password_and_its_sessions_end(
    run: Callable[..., str], settings: dict[str, str], api: Any
) -> None:
    email, old = f"{uuid.uuid4().hex}@example.org", "a long enough password"
    with httpx.Client(base_url=api.url, timeout=20) as http:
        assert http.post("/v1/accounts", json={"email": email, "password": old}).status_code == 201
        session = http.post("/v1/token", json={"email": email, "password": old}).json()
        for _ in range(2):
            written = run("create-operator", "--email", email.upper(), stdin=f"{PASSWORD}\n", **settings)
            assert "is an operator now" in written
            assert PASSWORD not in written
        assert http.post("/v1/token", json={"email": email, "password": old}).status_code == 401
        assert http.post("/v1/token/refresh", json={"refresh_token": session["refresh_token"]}).status_code == 401
        tokens = http.post("/v1/token", json={"email": email, "password": PASSWORD}).json()
        http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        assert http.get("/v1/me").json()["role"] == "operator"
        assert http.get("/v1/operator/jobs/dead").status_code == 200


def test_a_new_operator_is_made(run: Callable[..., str], settings: dict[str, str], api: Any) -> None:
    email = f"{uuid.uuid4().hex}@example.org"
    run("create-operator", "--email", email, stdin=PASSWORD, **settings)
    login = httpx.post(f"{api.url}/v1/token", json={"email": email, "password": PASSWORD}, timeout=20)
    assert login.status_code == 200


@pytest.mark.parametrize(
    ("email", "password"), [("nobody", PASSWORD), ("a@example.org", "short"), ("a@example.org", "")]
)
def test_a_bad_operator_is_refused_with_a_reason(
    run: Callable[..., str], settings: dict[str, str], email: str, password: str
) -> None:
    with pytest.raises(SystemExit, match=r"^create-operator: "):
        run("create-operator", "--email", email, stdin=f"{password}\n", **settings)


def test_settings_and_openapi_need_no_environment(run: Callable[..., str]) -> None:
    assert "TASKHUB_JWT_KEYS" in run("settings")
    document = json.loads(run("openapi"))
    assert document["openapi"].startswith("3.1")
    assert "/v1/token" in document["paths"]


def test_migrating_twice_changes_nothing(run: Callable[..., str], database_url: str) -> None:
    run("migrate", DATABASE_URL=database_url)
    run("migrate", DATABASE_URL=database_url)


def test_a_bad_setting_is_named_and_no_secret_is(run: Callable[..., str], settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="api_port") as refused:
        run("serve", **settings, API_PORT="a lot")
    assert "a-key-that-only" not in str(refused.value)
    with pytest.raises(ValueError, match="shorter than 32 bytes") as refused:
        run("serve", **settings | {"JWT_KEYS": json.dumps({"test": "a-short-secret"}), "API_PORT": "0"})
    assert "a-short-secret" not in str(refused.value)
