"""The fixtures themselves; see the package's docstring for what is shared and what is not."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
import redis
from psycopg import sql

from taskhub_local.errors import PartUnavailableError
from taskhub_local.parts.base import PartFolders
from taskhub_local.parts.elasticsearch import ElasticsearchPart, why_unavailable
from taskhub_local.parts.mail import MailPart
from taskhub_local.parts.postgres import PostgresPart
from taskhub_local.parts.redis import RedisPart
from taskhub_local.parts.sqs import CREDENTIALS, SqsPart
from taskhub_local.ports import any_free
from taskhub_local.testing.hooks import SHARED_SERVERS
from taskhub_local.testing.shared import SharedServers
from taskhub_local.testing.values import SmtpSink, SqsQueueNames


@pytest.fixture(scope="session")
def shared_servers(pytestconfig: pytest.Config) -> SharedServers:
    """The servers of this test run."""
    return pytestconfig.stash[SHARED_SERVERS]


@pytest.fixture(scope="session")
def worker_name(pytestconfig: pytest.Config) -> str:
    """The name of this test process: gw0, gw1, ... under xdist, else main."""
    given = getattr(pytestconfig, "workerinput", None)
    return "main" if given is None else str(given["workerid"])


@pytest.fixture(scope="session")
def postgres_server(shared_servers: SharedServers) -> PostgresPart:
    """A PostgreSQL server for the whole run, without fsync. Do not kill it: `own_postgres` is for that."""
    return shared_servers.start_once("postgres", lambda folders, port: PostgresPart(folders, port, durable=False))


@pytest.fixture(scope="session")
def database_url(postgres_server: PostgresPart, worker_name: str) -> str:
    """A database of this test process, migrated to head. Rows stay between tests unless `clean_database` is used."""
    from taskhub_core.database.migrate import upgrade

    name = f"taskhub_{worker_name}"
    postgres_server.drop_database(name)
    url = postgres_server.create_database(name)
    upgrade(url)
    return url


@pytest.fixture
def clean_database(database_url: str) -> str:
    """The migrated database with every table empty."""
    with psycopg.connect(database_url, autocommit=True, options="-c lock_timeout=10s") as session:
        query = (
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        )
        tables = [sql.Identifier(*row) for row in session.execute(query)]
        if tables:
            session.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(sql.SQL(", ").join(tables)))
    return database_url


@pytest.fixture(scope="session")
def redis_server(shared_servers: SharedServers) -> RedisPart:
    """A Redis server for the whole run. Do not kill it: `own_redis` is for that."""
    return shared_servers.start_once("redis", RedisPart)


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisPart, worker_name: str) -> str:
    """A Redis logical database of this test process."""
    number = 0 if worker_name == "main" else 1 + int(worker_name.removeprefix("gw"))
    return redis_server.url_for(number)


@pytest.fixture
def clean_redis(redis_url: str) -> str:
    """The Redis logical database, emptied."""
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    client.close()
    return redis_url


@pytest.fixture(scope="session")
def sqs_server(shared_servers: SharedServers) -> Iterator[SqsPart]:
    """An SQS server for the whole run, with credentials for clients in the environment."""
    part = shared_servers.start_once("sqs", SqsPart)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        yield part


@pytest.fixture(scope="session")
def sqs_endpoint_url(sqs_server: SqsPart) -> str:
    """Where SQS is."""
    return sqs_server.url


@pytest.fixture(scope="session")
def sqs_queue_names(sqs_server: SqsPart, worker_name: str) -> SqsQueueNames:
    """The queues of this test process: events, and its dead-letter queue after five receives."""
    names = SqsQueueNames(events=f"events-{worker_name}", dead_letter=f"events-{worker_name}-dlq")
    sqs_server.create_queues(names.events, names.dead_letter)
    return names


@pytest.fixture
def clean_queues(sqs_server: SqsPart, sqs_queue_names: SqsQueueNames) -> SqsQueueNames:
    """The queues, emptied: messages in flight are gone, too."""
    sqs_server.delete_queues(sqs_queue_names.events, sqs_queue_names.dead_letter)
    sqs_server.create_queues(sqs_queue_names.events, sqs_queue_names.dead_letter)
    return sqs_queue_names


@pytest.fixture(scope="session")
def elasticsearch_url(shared_servers: SharedServers) -> str:
    """One Elasticsearch for the whole run. Without Java or Maven: skipped, but failed where CI is set."""
    reason = why_unavailable()
    if reason is None:
        try:
            return shared_servers.start_once("elasticsearch", ElasticsearchPart).url
        except PartUnavailableError as error:
            reason = str(error)
    if os.environ.get("CI"):
        pytest.fail(f"CI must test with Elasticsearch: {reason}")
    pytest.skip(f"no Elasticsearch: {reason}")


@pytest.fixture
def search_alias(elasticsearch_url: str, worker_name: str) -> Iterator[str]:
    """A name for an alias that no other test has; indices whose names start with it are deleted after the test."""
    alias = f"test-{worker_name}-{uuid4().hex[:8]}"
    yield alias
    with httpx.Client(base_url=elasticsearch_url, timeout=30) as client:
        for index in client.get(f"/_cat/indices/{alias}*?format=json&h=index").raise_for_status().json():
            client.delete(f"/{index['index']}").raise_for_status()


@pytest.fixture(scope="session")
def smtp_server(shared_servers: SharedServers, worker_name: str) -> MailPart:
    """The SMTP server of this test process."""
    name = f"mail-{worker_name}"
    return shared_servers.start_once(name, lambda folders, port: MailPart(folders, port, any_free(), name=name))


@pytest.fixture
def smtp_sink(smtp_server: MailPart) -> SmtpSink:
    """An SMTP server that has no mail yet."""
    sink = SmtpSink(port=smtp_server.smtp_port, mailbox=smtp_server.mailbox)
    sink.clear()
    return sink


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[PostgresPart]:
    """A PostgreSQL server that the test may kill, freeze and restart. Its database is not migrated."""
    part = PostgresPart(PartFolders(tmp_path), any_free())
    part.start()
    part.wait_ready()
    yield part
    part.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisPart]:
    """A Redis server that the test may kill, freeze and restart."""
    part = RedisPart(PartFolders(tmp_path), any_free())
    part.start()
    part.wait_ready()
    yield part
    part.stop()


@pytest.fixture
def own_sqs(tmp_path: Path) -> Iterator[SqsPart]:
    """An SQS server that the test may kill, freeze and restart."""
    part = SqsPart(PartFolders(tmp_path), any_free())
    part.start()
    part.wait_ready()
    yield part
    part.stop()
