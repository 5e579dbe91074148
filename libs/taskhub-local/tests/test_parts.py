"""Each part is the real thing: it keeps its data, can be killed and frozen, and drops root's rights where it must."""

import os
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
import redis

from taskhub_local.elasticsearch.java import find_java
from taskhub_local.errors import PartFailedError
from taskhub_local.mail.mailbox import Mailbox
from taskhub_local.parts.base import PartFolders
from taskhub_local.parts.elasticsearch import ElasticsearchPart
from taskhub_local.parts.mail import MailPart
from taskhub_local.parts.postgres import PostgresPart
from taskhub_local.parts.redis import RedisPart
from taskhub_local.parts.sqs import DEAD_LETTER_QUEUE, QUEUE, SqsPart
from taskhub_local.ports import any_free
from taskhub_local.process.unprivileged import as_unprivileged
from taskhub_local.testing import wait_for


def process_of(part: PostgresPart | RedisPart | ElasticsearchPart) -> psutil.Process:
    assert part.pid is not None
    return psutil.Process(part.pid)


def test_postgres_keeps_committed_rows_when_it_is_killed(own_postgres: PostgresPart) -> None:
    with psycopg.connect(own_postgres.url) as session:
        session.execute("CREATE TABLE kept (n int)")
        session.execute("INSERT INTO kept VALUES (1)")
    own_postgres.kill(signal.SIGKILL)
    wait_for(lambda: own_postgres.exit_code is not None, message="PostgreSQL survived SIGKILL")
    own_postgres.restart()
    with psycopg.connect(own_postgres.url) as session:
        assert session.execute("SELECT n FROM kept").fetchall() == [(1,)]


def test_postgres_starts_after_a_killed_one_that_nobody_has_reaped(own_postgres: PostgresPart) -> None:
    own_postgres.stop()
    with subprocess.Popen(as_unprivileged(["sleep", "60"])) as unreaped:
        process = psutil.Process(unreaped.pid)
        wait_for(lambda: process.name() == "sleep")  # it has its own user by then
        unreaped.kill()
        wait_for(lambda: process.status() == psutil.STATUS_ZOMBIE)
        (own_postgres.data / "postmaster.pid").write_text(f"{unreaped.pid}\n{own_postgres.data}\n")
        own_postgres.start()
        own_postgres.wait_ready()


def test_postgres_starts_while_a_backend_of_a_killed_one_is_still_busy(own_postgres: PostgresPart) -> None:
    with closing(psycopg.connect(own_postgres.url, autocommit=True)) as session:
        backend = psutil.Process(session.info.backend_pid)
        # It computes without ever looking whether its postmaster lives.
        session.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 100000000000) AS n")
        wait_for(lambda: backend.cpu_times().user > 0.2, message="the backend does not compute")
        own_postgres.kill(signal.SIGKILL)
        wait_for(lambda: own_postgres.exit_code is not None, message="PostgreSQL survived SIGKILL")
        assert backend.is_running()
        own_postgres.restart()
    assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE


def test_postgres_role_may_not_touch_other_databases_passwords(own_postgres: PostgresPart) -> None:
    with psycopg.connect(own_postgres.url) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT * FROM pg_authid")


def test_postgres_refuses_a_session_without_the_password(own_postgres: PostgresPart) -> None:
    url = f"postgresql://taskhub:wrong@127.0.0.1:{own_postgres.port}/taskhub"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to drop its rights")
def test_postgres_does_not_run_as_root(own_postgres: PostgresPart) -> None:
    assert process_of(own_postgres).uids().effective != 0


def test_an_interrupted_initdb_is_done_again(tmp_path: Path) -> None:
    part = PostgresPart(PartFolders(tmp_path), any_free())
    half = part.data.parent / "initdb-interrupted" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    part.start()
    try:
        part.wait_ready()
    finally:
        part.stop()


def test_redis_keeps_what_it_acknowledged_when_it_is_killed(own_redis: RedisPart) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        client.set("kept", "yes")
    own_redis.kill(signal.SIGKILL)
    wait_for(lambda: own_redis.exit_code is not None, message="Redis survived SIGKILL")
    own_redis.restart()
    with redis.Redis.from_url(own_redis.url, decode_responses=True) as client:
        assert client.get("kept") == "yes"


def test_a_frozen_part_is_not_ready_thaws_and_can_be_stopped_while_frozen(own_redis: RedisPart) -> None:
    own_redis.kill(signal.SIGSTOP)
    wait_for(lambda: not own_redis.is_ready(), message="a frozen Redis answers")
    own_redis.kill(signal.SIGCONT)
    wait_for(own_redis.is_ready, message="Redis did not thaw")
    process = process_of(own_redis)
    own_redis.kill(signal.SIGSTOP)
    own_redis.stop()
    assert not process.is_running()
    assert "ready to exit, bye bye" in own_redis.log.read_text(), "it was killed, not stopped"
    with pytest.raises(PartFailedError, match="does not run"):
        own_redis.kill()


def test_a_part_whose_port_is_taken_says_so(own_redis: RedisPart, tmp_path: Path) -> None:
    other = RedisPart(PartFolders(tmp_path / "other"), own_redis.port)
    other.folders.state.mkdir()
    other.start()
    try:
        # The server that has the port answers meanwhile: the part must speak of its own process.
        wait_for(lambda: other.exit_code is not None, message="a second Redis took the same port")
        with pytest.raises(PartFailedError, match=r"ended with code \d+"):
            other.wait_ready()
    finally:
        other.stop()


def test_queues_are_there_again_after_sqs_was_killed(own_sqs: SqsPart) -> None:
    own_sqs.kill(signal.SIGKILL)
    wait_for(lambda: own_sqs.exit_code is not None)
    own_sqs.restart()
    client = own_sqs.client()
    names = {url.rpartition("/")[2] for url in client.list_queues()["QueueUrls"]}
    client.close()
    assert names == {QUEUE, DEAD_LETTER_QUEUE}


def test_mail_pages_show_mail_and_run_nothing_in_it(tmp_path: Path) -> None:
    part = MailPart(PartFolders(tmp_path), any_free(), any_free())
    part.start()
    try:
        part.wait_ready()
        name = part.mailbox.store("a@example.com", ["b@example.com"], b"Subject: <script>x</script>\r\n\r\n<b>body</b>")
        for page in (httpx.get(part.url), httpx.get(f"{part.url}/messages/{name}")):
            assert "&lt;script&gt;" in page.text
            assert "<script>" not in page.text
        assert httpx.get(f"{part.url}/messages").json()[0]["to"] == ["b@example.com"]
        assert httpx.get(f"{part.url}/messages/../mail/{name}").status_code == 404
        assert httpx.get(f"{part.url}/messages/%2e%2e%2fsecrets.eml").status_code == 404
    finally:
        part.stop()


def test_a_mailbox_name_cannot_leave_its_folder(tmp_path: Path) -> None:
    (tmp_path / "outside.eml").write_text("Subject: secret\r\n\r\n")
    (tmp_path / "box").mkdir()
    assert Mailbox(tmp_path / "box").read("../outside.eml") is None


def test_java_of_a_version_that_nobody_has_is_not_found() -> None:
    assert find_java(minimum=999) is None


@pytest.mark.timeout(240)
def test_elasticsearch_keeps_documents_when_its_server_is_killed(elasticsearch_url: str, tmp_path: Path) -> None:
    part = ElasticsearchPart(PartFolders(tmp_path), any_free())
    part.start()
    try:
        part.wait_ready()
        server = process_of(part)
        assert server.name() == "java"
        assert "org.elasticsearch.bootstrap.Elasticsearch" in " ".join(server.cmdline())
        if os.geteuid() == 0:
            assert server.uids().effective != 0
        httpx.put(f"{part.url}/kept/_doc/1?refresh=true", json={"a": 1}, timeout=30).raise_for_status()
        part.kill(signal.SIGKILL)
        wait_for(lambda: part.exit_code is not None, deadline_seconds=30, message="the launcher outlived its server")
        part.restart()
        wait_for(
            lambda: httpx.get(f"{part.url}/kept/_doc/1", timeout=30).status_code == 200,
            deadline_seconds=30,
            message="the document is gone",
        )
    finally:
        part.stop()
