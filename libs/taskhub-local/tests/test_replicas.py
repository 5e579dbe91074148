"""A replica is promoted with all that its source had acknowledged, and a backup is restored to any time since."""

import shutil
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
import redis

from taskhub_local.errors import LocalError
from taskhub_local.parts.base import PartFolders
from taskhub_local.parts.postgres import PostgresPart
from taskhub_local.parts.postgres_backup import PostgresBackup
from taskhub_local.parts.postgres_standby import PostgresStandby
from taskhub_local.parts.redis import RedisPart
from taskhub_local.ports import any_free
from taskhub_local.testing import wait_for

OTHER_HOST = "127.0.0.2"


@pytest.fixture
def standby(own_postgres: PostgresPart) -> Iterator[PostgresStandby]:
    part = PostgresStandby(own_postgres.folders, own_postgres, host=OTHER_HOST, link_port=own_postgres.port)
    part.start()
    part.wait_ready()
    yield part
    part.stop()


def test_a_synchronous_standby_has_every_commit_and_takes_writes_once_promoted(
    own_postgres: PostgresPart, standby: PostgresStandby
) -> None:
    standby.demand_synchrony()
    wait_for(standby.synchronous, message="the standby is not synchronous")
    with psycopg.connect(own_postgres.url) as session:
        session.execute("CREATE TABLE kept (n int)")
        session.execute("INSERT INTO kept VALUES (1)")
    own_postgres.kill(signal.SIGKILL)
    wait_for(lambda: own_postgres.exit_code is not None, message="PostgreSQL survived SIGKILL")
    with psycopg.connect(standby.url) as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("INSERT INTO kept VALUES (2)")
    standby.promote()
    with psycopg.connect(standby.url) as session:
        session.execute("INSERT INTO kept VALUES (2)")
        assert session.execute("SELECT n FROM kept ORDER BY n").fetchall() == [(1,), (2,)]


def test_a_former_primary_follows_the_one_that_took_over(own_postgres: PostgresPart, standby: PostgresStandby) -> None:
    own_postgres.stop()
    standby.promote()
    standby.lead(own_postgres)
    own_postgres.start()
    own_postgres.wait_ready()
    with psycopg.connect(standby.url) as session:
        session.execute("CREATE TABLE later (n int)")

    def has_come() -> bool:
        with psycopg.connect(own_postgres.url) as session:
            return session.execute("SELECT to_regclass('later') IS NOT NULL").fetchone() == (True,)

    wait_for(has_come, message="what the new primary committed does not come to the former one")


@pytest.mark.timeout(180)
def test_a_restore_has_what_was_committed_until_that_time_and_nothing_of_later(tmp_path: Path) -> None:
    part = PostgresPart(PartFolders(tmp_path / "state"), any_free())
    backup = PostgresBackup(part, tmp_path / "backup")
    part.start()
    part.wait_ready()
    try:
        with psycopg.connect(part.url, autocommit=True) as session:
            session.execute("CREATE TABLE kept (n int)")
            backup.take()
            session.execute("INSERT INTO kept VALUES (1)")
            (point,) = session.execute("SELECT clock_timestamp()").fetchone() or (None,)
            assert isinstance(point, datetime)
            session.execute("INSERT INTO kept VALUES (2)")
        position = backup.position()
        wait_for(lambda: backup.reaches(position), message="the log is not archived")
        with pytest.raises(LocalError, match="to an empty place"):
            backup.restore(point)
        part.stop()
        shutil.rmtree(part.data)
        backup.restore(point)
        part.start()
        part.wait_ready()
        with psycopg.connect(part.url) as session:
            assert session.execute("SELECT n FROM kept").fetchall() == [(1,)]
            session.execute("INSERT INTO kept VALUES (3)")
    finally:
        part.stop()


def test_a_replica_of_redis_takes_writes_once_promoted(own_redis: RedisPart, tmp_path: Path) -> None:
    part = RedisPart(PartFolders(tmp_path), own_redis.port, name="replica", host=OTHER_HOST, replica_of=own_redis.port)
    part.start()
    part.wait_ready()
    try:
        with redis.Redis.from_url(own_redis.url) as source:
            source.set("kept", "1")
            wait_for(part.follows, message="the replica does not follow")
            source.wait(1, 5_000)
        own_redis.kill(signal.SIGKILL)
        with redis.Redis.from_url(part.url) as client:
            with pytest.raises(redis.exceptions.ReadOnlyError):
                client.set("later", "2")
            part.promote()
            client.set("later", "2")
            assert client.mget("kept", "later") == [b"1", b"2"]
    finally:
        part.stop()
