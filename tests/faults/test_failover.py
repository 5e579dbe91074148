"""The servers of a managed service take over from each other, and a name moves: nothing acknowledged is lost.

On RDS and ElastiCache the name of a database leads to the server that is promoted; that is how these cases have it. The
server that takes over has not heard of the last second of the one that dies.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Case, Felt
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import answered_within, felt_at_all, never_internal, writes_unharmed
from taskhub_local.faults.managed import OTHER_HOST, POSTGRES_NAME, REDIS_NAME, Managed, wait
from taskhub_local.faults.proxy import Mode, Proxy
from taskhub_local.faults.report import Skipped
from taskhub_local.faults.runner import Setting, run_case
from taskhub_local.faults.stage import Stage
from taskhub_local.parts.app import App
from taskhub_local.parts.postgres_standby import PostgresStandby
from taskhub_local.parts.redis import RedisPart

from .conftest import Reports, say

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(900)]

_POSTGRES, _REDIS = "postgres", "redis"
_CUT_OFF_SECONDS = 0.7
"""How long the one that takes over has not heard of the other. Shorter than the API waits for a COMMIT (1.8 s)."""
_NOTICED_SECONDS = 5.0
"""How long nobody answers before the service has noticed. RDS takes a minute or two."""
_STALE_NAME_SECONDS = 5.0
"""How long a name leads to a server that has become a standby: the time to live of RDS's names."""
_QUEUEING_SECONDS = 1.0

# The promise is 2 s; the rest is for a machine that does other things, too.
_CHECKS = (felt_at_all, never_internal, answered_within(2.5, at_most=5.0))


@pytest.fixture
def managed(tmp_path: Path, reports: Reports, request: pytest.FixtureRequest) -> Iterator[Managed]:
    """A platform that knows its servers by name. Skips where names cannot be made to lead elsewhere."""
    try:
        made = Managed(tmp_path / "platform", say=say)
    except LocalError as error:
        reports.skipped.append(Skipped(request.node.name, str(error)))
        pytest.skip(str(error))
    with made.host:
        yield made


async def test_no_acknowledged_write_is_lost_when_the_standby_of_postgresql_takes_over(
    managed: Managed, tmp_path: Path, reports: Reports, seed: int
) -> None:
    standby = await asyncio.to_thread(managed.start_standby)
    failover = case(
        "postgres-failover",
        "kill -9 of PostgreSQL, and its synchronous standby promoted",
        lambda stage: _fail_over(stage, managed, standby),
        felt=Felt.WRITES,
        checks=_CHECKS,
    )
    await _run(failover, managed, tmp_path, reports, seed)


async def _fail_over(stage: Stage, managed: Managed, standby: PostgresStandby) -> float:
    stage.breaks(f"the standby hears nothing of the primary for {_CUT_OFF_SECONDS:g} s")
    with managed.host.platform.postgres.superuser_session() as session:
        managed.host.postgres.set_mode(Mode.FREEZE)
        await stage.last(_CUT_OFF_SECONDS)
        missing = standby.missing_bytes(session)
    managed.host.platform.keepers[_POSTGRES].hold()
    stage.breaks(f"kill -9 of the primary, with {missing} bytes of its log not at the standby")
    former = stage.target.kill(_POSTGRES)
    await stage.until(lambda: not former.is_running(), seconds=10, what="the primary is gone")
    if not missing:
        raise LocalError("the standby had all of the primary's log: the case did not break what it means to break")
    stage.notes.append(f"{missing} bytes of log were with the primary alone")
    await stage.last(_NOTICED_SECONDS)
    await asyncio.to_thread(standby.promote)
    managed.host.postgres.set_mode(Mode.PASS)  # nobody follows any more
    stage.target.primary = standby.name
    managed.names.lead(POSTGRES_NAME, OTHER_HOST)
    return stage.heals("the standby is promoted, and the name leads to it")


async def test_writes_leave_a_server_that_has_become_a_standby(
    managed: Managed, tmp_path: Path, reports: Reports, seed: int
) -> None:
    standby = await asyncio.to_thread(managed.start_standby)
    switchover = case(
        "postgres-switchover",
        "PostgreSQL and its standby change places, and the name is late",
        lambda stage: _switch_over(stage, managed, standby),
        felt=Felt.WRITES,
        checks=_CHECKS,
    )
    await _run(switchover, managed, tmp_path, reports, seed)


async def _switch_over(stage: Stage, managed: Managed, standby: PostgresStandby) -> float:
    primary, keeper = managed.host.platform.postgres, managed.host.platform.keepers[_POSTGRES]
    keeper.hold()
    stage.breaks("PostgreSQL is stopped in good order, and its standby promoted")
    former = stage.target.kill(_POSTGRES, signal.SIGINT)
    await stage.until(lambda: not former.is_running(), seconds=60, what="the primary has stopped")
    await asyncio.to_thread(standby.promote)
    stage.target.primary = standby.name
    await asyncio.to_thread(standby.lead, primary)
    keeper.resume()
    await stage.until_replaced(_POSTGRES, former.pid)
    stage.say(f"the former primary is a standby now, and the name leads there for {_STALE_NAME_SECONDS:g} s more")
    await stage.last(_STALE_NAME_SECONDS)
    managed.names.lead(POSTGRES_NAME, OTHER_HOST)
    return stage.heals("the name leads to the new primary")


async def test_jobs_go_on_when_the_replica_of_redis_takes_over(
    managed: Managed, tmp_path: Path, reports: Reports, seed: int
) -> None:
    platform = managed.host.platform
    with Proxy(platform.redis.port) as link:
        replica = RedisPart(
            platform.folders, platform.redis.port, name="redis-replica", host=OTHER_HOST, replica_of=link.port
        )
        await asyncio.to_thread(managed.keep, replica)
        await asyncio.to_thread(wait, replica.follows, "the replica has all of Redis' data")
        failover = case(
            "redis-failover",
            "kill -9 of Redis, and its replica promoted",
            lambda stage: _fail_over_redis(stage, managed, replica, link),
            felt=Felt.JOBS,
            checks=(writes_unharmed,),
        )
        await _run(failover, managed, tmp_path, reports, seed)


async def _fail_over_redis(stage: Stage, managed: Managed, replica: RedisPart, link: Proxy) -> float:
    """The worker stands still for a moment, so that ids are queued: some with the replica, some not."""
    frozen = stage.target.freeze(App.WORKER.value)
    try:
        await stage.last(_QUEUEING_SECONDS)
        link.set_mode(Mode.FREEZE)
        await stage.last(_QUEUEING_SECONDS)
        lacking = _queued(managed.host.platform.redis) - _queued(replica)
        managed.host.platform.keepers[_REDIS].hold()
        stage.breaks(f"kill -9 of Redis, with {lacking} messages not at the replica")
        former = stage.target.kill(_REDIS)
        await stage.until(lambda: not former.is_running(), seconds=10, what="Redis is gone")
    finally:
        frozen.thaw()
    if lacking <= 0:
        raise LocalError("the replica had all of the messages: the case did not break what it means to break")
    stage.notes.append(f"{lacking} messages lost")
    await stage.last(_NOTICED_SECONDS)
    await asyncio.to_thread(replica.promote)
    link.set_mode(Mode.PASS)  # nobody follows any more
    managed.names.lead(REDIS_NAME, OTHER_HOST)
    return stage.heals("the replica is promoted, and the name leads to it")


def _queued(part: RedisPart) -> int:
    with closing(redis.Redis.from_url(part.url)) as client:
        return int(client.llen("taskhub-jobs"))


async def _run(failover: Case, managed: Managed, folder: Path, reports: Reports, seed: int) -> None:
    setting = Setting(target=managed.host.target, folder=folder, kinds=True, host=managed.host, say=say)
    reports.take(await run_case(failover, setting, seed=seed))
