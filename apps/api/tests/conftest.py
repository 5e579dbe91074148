"""Fixtures of the API's tests: the API itself, served by uvicorn on a real port in front of real servers."""

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, text

from taskhub_api.app import create_app
from taskhub_api.security.access_tokens import AccessTokens, Caller
from taskhub_api.settings import ApiSettings
from taskhub_core.accounts.models import Role
from taskhub_core.database.engine import make_engine
from taskhub_core.settings import TelemetrySettings
from taskhub_core.telemetry import logs
from taskhub_local.testing import SqsQueueNames


@dataclass(frozen=True, slots=True)
class RunningApi:
    """An API that answers."""

    url: str
    app: FastAPI
    settings: ApiSettings


class ServeApi(Protocol):
    """Serves an API of its own for one test."""

    def __call__(self, **settings: Any) -> RunningApi:
        """Returns it once it answers. `settings` replace those of the shared one."""
        ...


class ClientOf(Protocol):
    """Makes an HTTP client that is somebody."""

    def __call__(
        self, account_id: uuid.UUID | None = None, *, role: Role = Role.USER, api: RunningApi | None = None
    ) -> httpx.Client:
        """A client with a token of the account (a new one if none is named)."""
        ...


@pytest.fixture(scope="session", autouse=True)
def _logs_as_in_production() -> None:
    """structlog's own default draws every local variable of a traceback, which takes minutes for some."""
    logs.configure(TelemetrySettings(), service="taskhub-api")


@pytest.fixture(scope="session")
def api_settings(
    database_url: str, redis_url: str, sqs_endpoint_url: str, sqs_queue_names: SqsQueueNames
) -> ApiSettings:
    """Settings for this process's database, Redis and queues, without Elasticsearch."""
    return ApiSettings.model_validate(
        {
            "database_url": database_url,
            "redis_url": redis_url,
            "sqs_endpoint_url": sqs_endpoint_url,
            "sqs_queue_name": sqs_queue_names.events,
            "sqs_dlq_name": sqs_queue_names.dead_letter,
            "jwt_keys": {"test": "a-key-that-only-signs-tokens-of-tests"},
            "jwt_active_kid": "test",
        }
    )


@contextmanager
def _serving(settings: ApiSettings) -> Iterator[RunningApi]:
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(settings)
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="api-under-test")
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        # The kernel keeps the connection until the server has started.
        httpx.get(f"{url}/startupz", timeout=20).raise_for_status()
        yield RunningApi(url, app, settings)
    finally:
        app.state.draining = True
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="session")
def api(api_settings: ApiSettings) -> Iterator[RunningApi]:
    """The API that the tests of this process share."""
    with _serving(api_settings) as running:
        yield running


@pytest.fixture
def serve_api(api_settings: ApiSettings) -> Iterator[ServeApi]:
    """Serves further APIs, with settings of their own; they stop after the test."""
    stop: list[Any] = []

    def serve(**settings: Any) -> RunningApi:
        given = {name: getattr(api_settings, name) for name in api_settings.model_fields_set}
        context = _serving(ApiSettings.model_validate({**given, **settings}))
        running = context.__enter__()
        stop.append(context)
        return running

    yield serve
    for context in reversed(stop):
        context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def engine(api_settings: ApiSettings) -> Iterator[Engine]:
    """PostgreSQL behind the API's back."""
    made = make_engine(api_settings, application_name="taskhub-tests")
    yield made
    made.dispose()


@pytest.fixture
def new_account(engine: Engine) -> Callable[..., uuid.UUID]:
    """Makes accounts, without passing through registration."""

    def make(role: Role = Role.USER) -> uuid.UUID:
        account_id = uuid.uuid4()
        with engine.begin() as connection:
            connection.execute(
                text("INSERT INTO accounts (id, email, password_hash, role) VALUES (:id, :email, 'none', :role)"),
                {"id": account_id, "email": f"{account_id}@example.org", "role": role.value},
            )
        return account_id

    return make


@pytest.fixture
def client_of(api: RunningApi, new_account: Callable[..., uuid.UUID]) -> Iterator[ClientOf]:
    """Makes clients; they close after the test."""
    made: list[httpx.Client] = []

    def make(
        account_id: uuid.UUID | None = None, *, role: Role = Role.USER, api: RunningApi | None = api
    ) -> httpx.Client:
        assert api is not None
        caller = Caller(account_id or new_account(role), role)
        token = AccessTokens(api.settings).sign(caller)
        client = httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {token}"}, timeout=20)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def user_id(new_account: Callable[..., uuid.UUID]) -> uuid.UUID:
    """A new account."""
    return new_account()


@pytest.fixture
def user(client_of: ClientOf, user_id: uuid.UUID) -> httpx.Client:
    """A client of that account."""
    return client_of(user_id)


@pytest.fixture
def operator(client_of: ClientOf) -> httpx.Client:
    """A client of a new operator."""
    return client_of(role=Role.OPERATOR)
