"""The status page: right about each dependency, quick whatever they do, and discreet towards users."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client import REGISTRY

from taskhub_core.accounts.models import Role
from taskhub_core.database.migrate import upgrade
from taskhub_local.testing import wait_for


def dependency(client: httpx.Client, name: str) -> dict[str, Any]:
    answer = client.get("/v1/status")
    assert answer.status_code == 200
    return next(item for item in answer.json()["dependencies"] if item["name"] == name)


def becomes(client: httpx.Client, name: str, state: str) -> dict[str, Any]:
    """Waits for the state, and returns what is told then."""
    wait_for(
        lambda: dependency(client, name)["state"] == state,
        deadline_seconds=15,
        message=f"{name} was not found to be {state}",
    )
    return dependency(client, name)


def test_all_is_well_when_all_is_there(serve_api, client_of, clean_queues):
    client = client_of(api=serve_api(probe_seconds=0.2))
    for name in ("postgresql", "redis", "sqs"):
        told = becomes(client, name, "up")
        assert told["effect"] is None
        assert datetime.now(UTC) - datetime.fromisoformat(told["since"]) < timedelta(minutes=1)
    assert dependency(client, "elasticsearch")["state"] == "not-configured"
    assert client.get("/v1/status").json()["status"] == "ok"


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_a_redis_that_is_away_is_noticed_and_so_is_its_return(own_redis, serve_api, client_of, frozen, how):
    running = serve_api(redis_url=own_redis.url, probe_seconds=0.2)
    user, operator = client_of(api=running), client_of(role=Role.OPERATOR, api=running)
    up_since = becomes(user, "redis", "up")["since"]
    if how == "stopped":
        own_redis.stop()
        down = becomes(operator, "redis", "down")
        assert user.get("/v1/status").json()["status"] == "degraded"
        own_redis.start()
    else:
        with frozen(own_redis):
            down = becomes(operator, "redis", "down")
            started = time.monotonic()
            assert user.get("/v1/status").json()["status"] == "degraded"
            assert time.monotonic() - started < 1  # it asks nobody
    assert down["since"] > up_since
    assert down["effect"].startswith("Jobs are accepted and kept")
    assert down["last_error"] in {"ConnectionError", "TimeoutError"}
    back = becomes(operator, "redis", "up")
    assert back["since"] > down["since"]
    assert back["last_error"] == down["last_error"]  # over, and still told to operators
    assert set(becomes(user, "redis", "up")) == {"name", "state", "since", "effect"}


def test_a_frozen_postgresql_is_noticed_while_the_status_is_still_answered(own_postgres, serve_api, client_of, frozen):
    upgrade(own_postgres.url)
    running = serve_api(database_url=own_postgres.url, probe_seconds=0.2)
    client = client_of(role=Role.OPERATOR, api=running)
    becomes(client, "postgresql", "up")
    with frozen(own_postgres):
        assert becomes(client, "postgresql", "down")["effect"].startswith("Tasks and jobs can be neither read")
    assert becomes(client, "postgresql", "up")["last_error"] == "TimeoutError"


def test_a_postgresql_that_takes_no_writes_is_down(postgres_server, serve_api, client_of):
    name = f"readonly_{uuid.uuid4().hex}"
    url = postgres_server.create_database(name)
    running = serve_api(database_url=url, probe_seconds=0.2)
    client = client_of(uuid.uuid4(), role=Role.OPERATOR, api=running)
    becomes(client, "postgresql", "up")
    with psycopg.connect(postgres_server.url_for("postgres", superuser=True), autocommit=True) as session:
        session.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        assert becomes(client, "postgresql", "down")["last_error"] == "ReadOnly"
    postgres_server.drop_database(name)


def test_a_missing_queue_and_an_unreachable_elasticsearch_are_down(serve_api, client_of):
    running = serve_api(probe_seconds=0.2, sqs_queue_name="no-such-queue", elasticsearch_url="http://127.0.0.1:1")
    client = client_of(role=Role.OPERATOR, api=running)
    assert becomes(client, "sqs", "down")["last_error"] == "QueueUnavailable"
    assert becomes(client, "elasticsearch", "down")["last_error"] == "ConnectionError"
    assert client.get("/v1/status").json()["search_breaker"] == "closed"


def test_what_is_found_is_a_metric_too(serve_api, client_of):
    becomes(client_of(api=serve_api(probe_seconds=0.2)), "postgresql", "up")
    up = lambda name: REGISTRY.get_sample_value("taskhub_dependency_up", {"dependency": name})  # noqa: E731
    assert up("postgresql") == 1
    idle = REGISTRY.get_sample_value("taskhub_database_pool_connections", {"state": "idle"})
    assert idle is not None
    assert idle >= 0
    assert REGISTRY.get_sample_value("taskhub_database_pool_limit", {"pool": "api"}) == 10


def test_the_status_is_for_those_with_a_token(api):
    assert httpx.get(f"{api.url}/v1/status").status_code == 401
