"""PostgreSQL frozen, stopped, cut off or behind a pooler: what clients see, and that nothing is lost or done twice."""

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from taskhub_api.security.access_tokens import AccessTokens, Caller
from taskhub_core.accounts.models import Role
from taskhub_core.database.migrate import set_role_defaults, upgrade
from taskhub_core.settings import DatabaseSettings
from taskhub_local.faults.proxy import Mode, Proxy
from taskhub_local.faults.target import freeze
from taskhub_local.parts.postgres import PostgresPart
from taskhub_local.ports import any_free
from taskhub_local.process.unprivileged import as_unprivileged, give_to_unprivileged
from taskhub_local.testing import wait_for

PATIENCE_SECONDS = 4.0
"""The promise is 2 s; test machines are busy."""


@pytest.fixture
def own_database(own_postgres: PostgresPart) -> PostgresPart:
    """A server of the test's own, migrated."""
    upgrade(own_postgres.url)
    return own_postgres


def _client(api: Any, database_url: str) -> httpx.Client:
    account_id = uuid.uuid4()
    with psycopg.connect(database_url) as session:
        session.execute(
            "INSERT INTO accounts (id, email, password_hash) VALUES (%s, %s, 'none')",
            [account_id, f"{account_id}@example.org"],
        )
    token = AccessTokens(api.settings).sign(Caller(account_id, Role.USER))
    return httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {token}"}, timeout=20)


def _tasks(client: httpx.Client) -> list[str]:
    answer = client.get("/v1/tasks")
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


def _assert_away(ask: Callable[[], httpx.Response]) -> None:
    started = time.monotonic()
    answer = ask()
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "2"
    assert answer.json()["type"] == "/problems/unavailable"


def _is_back(client: httpx.Client) -> bool:
    return client.get("/v1/tasks").status_code == 200


def test_a_frozen_server_gets_503_in_time_and_everything_is_back_by_itself(
    serve_api: Any, own_database: PostgresPart
) -> None:
    api = serve_api(database_url=own_database.url, database_pool_size=4)
    with _client(api, own_database.url) as client, ThreadPoolExecutor(12) as threads:
        assert {client.post("/v1/tasks", json={"title": "before"}).status_code} == {201}
        assert own_database.pid is not None
        frozen = freeze(psutil.Process(own_database.pid))
        try:
            asked = [threads.submit(_assert_away, lambda: client.get("/v1/tasks")) for _ in range(6)]
            asked += [
                threads.submit(_assert_away, lambda: client.post("/v1/tasks", json={"title": "meanwhile"}))
                for _ in range(6)
            ]
            for one in asked:
                one.result()
            assert client.get("/readyz").status_code == 200
            assert client.get("/livez").status_code == 200
        finally:
            frozen.thaw()
        wait_for(lambda: _is_back(client), message="reads did not come back")
        # Every connection of the pool is usable again, and no request that was answered with 503 took effect.
        assert {answer.status_code for answer in threads.map(lambda _: client.get("/v1/tasks"), range(12))} == {200}
        assert _tasks(client) == ["before"]


def test_a_server_that_freezes_between_two_requests_frees_the_connection_that_is_being_checked(
    serve_api: Any, own_database: PostgresPart
) -> None:
    api = serve_api(database_url=own_database.url, database_pool_size=1)
    with _client(api, own_database.url) as client:
        assert _is_back(client)
        # Longer than a connection counts as fresh, so that the next request begins with a check of it.
        wait_for(lambda: _idle_seconds(own_database) > 1.2, message="the connection did not become idle")
        assert own_database.pid is not None
        frozen = freeze(psutil.Process(own_database.pid))
        try:
            _assert_away(lambda: client.get("/v1/tasks"))
            wait_for(
                lambda: api.app.state.database.engine.sync_engine.pool.checkedout() == 0,
                message="the check still holds the pool's only connection",
            )
        finally:
            frozen.thaw()
        wait_for(lambda: _is_back(client))


def _idle_seconds(server: PostgresPart) -> float:
    with psycopg.connect(server.url) as session:
        row = session.execute(
            "SELECT extract(epoch FROM now() - max(state_change)) FROM pg_stat_activity "
            "WHERE application_name = 'taskhub-api'"
        ).fetchone()
    return float(row[0]) if row and row[0] is not None else 0.0


def test_a_stopped_server_gets_503_and_everything_is_back_by_itself(serve_api: Any, own_database: PostgresPart) -> None:
    api = serve_api(database_url=own_database.url)
    with _client(api, own_database.url) as client:
        assert client.post("/v1/tasks", json={"title": "kept"}).status_code == 201
        own_database.kill(signal.SIGINT)
        wait_for(lambda: own_database.pid is None, message="PostgreSQL did not stop")
        _assert_away(lambda: client.get("/v1/tasks"))
        _assert_away(lambda: client.post("/v1/tasks", json={"title": "refused"}))
        assert client.get("/readyz").status_code == 200
        own_database.start()
        own_database.wait_ready()
        wait_for(lambda: _is_back(client), message="the API did not come back")
        assert _tasks(client) == ["kept"]


@pytest.fixture
def cut_off(serve_api: Any, database_url: str) -> Iterator[tuple[Any, Proxy]]:
    """An API that reaches PostgreSQL through a proxy that cuts every COMMIT: before it, after it, and so on in turn."""
    url = make_url(database_url)
    assert url.port is not None
    with Proxy(url.port, commits_between_cuts=1) as proxy:
        through = url.set(port=proxy.port).render_as_string(hide_password=False)
        yield serve_api(database_url=through, probe_seconds=3_600), proxy


def test_with_a_key_a_connection_cut_during_commit_leaves_one_write_and_its_answer(
    cut_off: tuple[Any, Proxy], database_url: str
) -> None:
    api, proxy = cut_off
    with _client(api, database_url) as client:
        assert _tasks(client) == []
        proxy.set_mode(Mode.CUT_COMMITS)
        answer = client.post("/v1/tasks", json={"title": "once"}, headers={"Idempotency-Key": "cut"})
        assert proxy.commits_cut >= 2  # the first one before the server had it, the repeated one after
        proxy.set_mode(Mode.PASS)
        assert (answer.status_code, answer.json()["title"]) == (201, "once")
        assert _tasks(client) == ["once"]
        with closing(psycopg.connect(database_url)) as session:
            query = "SELECT count(*) FROM outbox WHERE message ->> 'subject_id' = %s"
            assert session.execute(query, [answer.json()["id"]]).fetchone() == (1,)
        again = client.post("/v1/tasks", json={"title": "once"}, headers={"Idempotency-Key": "cut"})
        assert again.content == answer.content


def test_without_a_key_the_outcome_of_a_cut_commit_is_said_to_be_unknown(
    cut_off: tuple[Any, Proxy], database_url: str
) -> None:
    api, proxy = cut_off
    with _client(api, database_url) as client:
        assert _tasks(client) == []
        proxy.set_mode(Mode.CUT_COMMITS)
        for title in ("one", "other"):
            answer = client.post("/v1/tasks", json={"title": title})
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/outcome-unknown")
            assert answer.headers["Retry-After"] == "2"
        proxy.set_mode(Mode.PASS)
        # One was cut before the server had its COMMIT, the other after.
        assert _tasks(client) in (["one"], ["other"])


@pytest.fixture
def pgbouncer(tmp_path: Path, database_url: str) -> Iterator[str]:
    """The URL of a PgBouncer in transaction mode, with fewer server connections than the API has of its own."""
    binary = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if binary is None:
        if os.environ.get("CI"):
            pytest.fail("CI must test with PgBouncer: install the package pgbouncer")
        pytest.skip("no PgBouncer: install the package pgbouncer")
    set_role_defaults(DatabaseSettings.model_validate({"database_url": database_url}))
    url = make_url(database_url)
    port = any_free()
    (tmp_path / "users.txt").write_text(f'"{url.username}" "{url.password}"\n')
    (tmp_path / "pgbouncer.ini").write_text(
        f"""
        [databases]
        * = host={url.host} port={url.port}
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = {port}
        unix_socket_dir =
        auth_type = scram-sha-256
        auth_file = {tmp_path}/users.txt
        pool_mode = transaction
        default_pool_size = 2
        logfile = {tmp_path}/pgbouncer.log
        """.replace("\n        ", "\n")
    )
    give_to_unprivileged([tmp_path])
    process = subprocess.Popen(
        as_unprivileged([binary, "-q", str(tmp_path / "pgbouncer.ini")]), stdout=subprocess.DEVNULL
    )
    try:
        through = url.set(port=port).render_as_string(hide_password=False)
        wait_for(lambda: _answers(through), message="PgBouncer did not start")
        yield through
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_units_of_work_pass_through_pgbouncer_in_transaction_mode(
    serve_api: Any, pgbouncer: str, database_url: str
) -> None:
    api = serve_api(database_url=pgbouncer, database_direct_url=database_url, database_pooler="transaction")
    with _client(api, database_url) as client, ThreadPoolExecutor(8) as threads:

        def create(number: int) -> httpx.Response:
            body = {"title": f"task {number}", "tags": ["pooled"], "due_at": "2099-01-01T00:00:00Z", "remind": True}
            return client.post("/v1/tasks", json=body, headers={"Idempotency-Key": f"pooled-{number}"})

        with psycopg.connect(pgbouncer) as session:  # no session of ours can set it: the role has it from the migration
            assert session.execute("SHOW statement_timeout").fetchone() == ("5s",)
        # Each several times, so that statements would be prepared if they were going to be.
        created = list(threads.map(create, range(24)))
        assert {answer.status_code for answer in created} == {201}
        assert {answer.content for answer in threads.map(create, range(24))} == {answer.content for answer in created}
        for answer in created[:6]:
            url = f"/v1/tasks/{answer.json()['id']}"
            changed = client.patch(url, json={"status": "done"}, headers={"If-Match": answer.headers["ETag"]})
            assert changed.status_code == 200
            assert client.delete(url, headers={"If-Match": changed.headers["ETag"]}).status_code == 204
        assert len(_tasks(client)) == 18
        body = {"email": f"{uuid.uuid4().hex}@example.org", "password": "a long enough password"}
        assert client.post("/v1/accounts", json=body).status_code == 201
        tokens = client.post("/v1/token", json=body).json()
        assert client.post("/v1/token/refresh", json={"refresh_token": tokens["refresh_token"]}).status_code == 200
