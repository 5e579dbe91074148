"""Redis dies, forgets everything, and stands still (failure mode 4)."""

import redis

from taskhub_local.faults.case import Felt
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import writes_unharmed
from taskhub_local.faults.stage import Stage
from taskhub_local.parts.app import App

_REDIS = "redis"
_WORKER = App.WORKER.value
_FROZEN_SECONDS = 10.0
_QUEUEING_SECONDS = 3.0


async def kill_redis(stage: Stage) -> float:
    """kill -9; the supervisor starts it again with what its append-only file has."""
    since = stage.breaks("kill -9 of Redis")
    former = stage.target.kill(_REDIS)
    await stage.until_replaced(_REDIS, former.pid)
    return since


async def wipe_redis(stage: Stage) -> float:
    """FLUSHALL while jobs are queued: the worker stands still for a moment, so that there are some."""
    frozen = stage.target.freeze(_WORKER)
    try:
        await stage.last(_QUEUEING_SECONDS)
        with redis.Redis.from_url(stage.target.describe().part(_REDIS).url) as client:
            queued = client.llen("taskhub-jobs")
            since = stage.breaks(f"FLUSHALL of Redis with {queued} messages in the queue")
            stage.notes.append(f"{queued} messages wiped")
            client.flushall()
    finally:
        frozen.thaw()
    return since


async def freeze_redis(stage: Stage) -> float:
    """SIGSTOP: connections stay open, and nothing answers."""
    stage.breaks(f"SIGSTOP of Redis for {_FROZEN_SECONDS:g} s")
    frozen = stage.target.freeze(_REDIS)
    try:
        await stage.last(_FROZEN_SECONDS)
    finally:
        frozen.thaw()
    return stage.heals("SIGCONT of Redis")


CASES = (
    case("redis-kill", "kill -9 of Redis", kill_redis, felt=Felt.JOBS, checks=(writes_unharmed,), quick=True),
    case(
        "redis-wipe",
        "FLUSHALL of Redis with jobs queued",
        wipe_redis,
        felt=Felt.JOBS,
        checks=(writes_unharmed,),
        quick=True,
    ),
    case(
        "redis-freeze",
        f"Redis frozen for {_FROZEN_SECONDS:g} s",
        freeze_redis,
        felt=Felt.JOBS,
        checks=(writes_unharmed,),
    ),
)
