"""The fixtures that every package's tests stand on."""

import json
import smtplib
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import httpx
import psycopg
import pytest
import redis

from taskhub_local.parts.postgres import PostgresPart
from taskhub_local.parts.redis import RedisPart
from taskhub_local.parts.sqs import SqsPart
from taskhub_local.ports import any_free
from taskhub_local.process.guardian import is_alive
from taskhub_local.process.record import ProcessRecord
from taskhub_local.testing import SmtpSink, SqsQueueNames, wait_for
from taskhub_local.testing.shared import SharedServers


def test_postgres_is_version_18_and_takes_writes(postgres_server: PostgresPart) -> None:
    with psycopg.connect(postgres_server.url) as session:
        assert session.info.server_version // 10_000 == 18
        session.execute("CREATE TEMPORARY TABLE t (n int)")
        session.execute("INSERT INTO t SELECT generate_series(1, 3)")
        assert session.execute("SELECT count(*) FROM t").fetchone() == (3,)


def test_clean_database_is_migrated_and_empty(clean_database: str) -> None:
    with psycopg.connect(clean_database) as session:
        assert session.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
        assert session.execute("SELECT count(*) FROM accounts").fetchone() == (0,)


def test_redis_database_is_this_workers_own(redis_url: str, redis_server: RedisPart) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("fixture", "here")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with redis.Redis.from_url(redis_server.url_for(63)) as other:
        assert other.get("fixture") is None


def test_a_message_moves_to_the_dead_letter_queue_after_five_receives(
    sqs_server: SqsPart, clean_queues: SqsQueueNames
) -> None:
    client = sqs_server.client()
    url = client.get_queue_url(QueueName=clean_queues.events)["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="poison")
    for _ in range(5):
        assert len(client.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages", [])) == 1
    assert client.receive_message(QueueUrl=url).get("Messages", []) == []
    dead = client.get_queue_url(QueueName=clean_queues.dead_letter)["QueueUrl"]
    assert [m["Body"] for m in client.receive_message(QueueUrl=dead)["Messages"]] == ["poison"]
    client.close()


def test_elasticsearch_indexes_behind_an_alias(elasticsearch_url: str, search_alias: str) -> None:
    with httpx.Client(base_url=elasticsearch_url, timeout=30) as client:
        client.put(f"/{search_alias}-1", json={"aliases": {search_alias: {}}}).raise_for_status()
        client.put(f"/{search_alias}/_doc/1?refresh=true", json={"title": "Water the plants"}).raise_for_status()
        query = {"query": {"match": {"title": {"query": "plantz", "fuzziness": "AUTO"}}}}
        found = client.post(f"/{search_alias}/_search", json=query).raise_for_status().json()
    assert found["hits"]["total"]["value"] == 1


def test_mail_can_be_read_back(smtp_sink: SmtpSink) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", "Grüße"
    message.set_content("Hallo")
    with smtplib.SMTP(smtp_sink.host, smtp_sink.port) as client:
        client.send_message(message)
    (mail,) = smtp_sink.messages()
    assert (mail.recipients, mail.subject, mail.text.strip()) == (("b@example.com",), "Grüße", "Hallo")


def test_wait_for_says_what_it_last_saw() -> None:
    with pytest.raises(AssertionError, match=r"never three \(waited 0.1 s; last value: False\)"):
        wait_for(lambda: 1 + 1 == 3, deadline_seconds=0.1, message="never three")


def test_servers_end_when_the_test_run_is_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        folder = tmp_path / "shared"
        folder.mkdir()
        shared = SharedServers(folder, owner.pid)
        part = shared.start_once("redis", RedisPart)
        again = SharedServers(folder, owner.pid).start_once(
            "redis", lambda f, p: RedisPart(f, p if p == part.port else any_free())
        )
        assert again.port == part.port, "the second asker got another server"
        record = ProcessRecord.read(part.folders.record("redis"))
        assert record is not None
        assert json.loads(part.folders.record("guardian").read_text())["name"] == "guardian"
    finally:
        owner.kill()
        owner.wait()
    wait_for(lambda: not is_alive(record.pid), deadline_seconds=20, message="Redis outlived the killed run")
    wait_for(lambda: not folder.exists(), deadline_seconds=20, message="the folder of the killed run is still there")
