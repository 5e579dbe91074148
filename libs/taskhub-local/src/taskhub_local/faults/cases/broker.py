"""Redis dies, forgets everything, and stands still (failure mode 4)."""

import redis

from taskhub_local.faults.case import Felt
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import writes_unharmed
from taskhub_local.faults.judge_jobs import STEPS_KIND
from taskhub_local.faults.stage import Stage
from taskhub_local.faults.submissions import submit_job
from taskhub_local.parts.app import App

_REDIS = "redis"
_WORKER = App.WORKER.value
_FROZEN_SECONDS = 10.0
_QUEUEING_SECONDS = 3.0
_STEPS, _STEP_SECONDS = 10, 0.3


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
    """SIGSTOP: connections stay open, and nothing answers. Every worker process ends a job meanwhile."""
    if stage.kinds:
        await _every_process_busy(stage)
    return await stage.freezes(_REDIS, "Redis", _FROZEN_SECONDS)


async def _every_process_busy(stage: Stage) -> None:
    """Submit jobs that are going to end while Redis stands still, until each worker process has one."""
    processes = int(stage.target.setting("WORKER_PROCESSES") or 1)
    args = {"steps": _STEPS, "step_seconds": _STEP_SECONDS}
    ids = [await submit_job(stage.client, STEPS_KIND, args, size=_STEPS, patience_seconds=30) for _ in range(processes)]

    def running() -> bool:
        with stage.eyes.session() as session:
            query = "SELECT count(*) FROM jobs WHERE state = 'running' AND kind = %s"
            return session.execute(query, [STEPS_KIND]).fetchone() == (processes,)

    await stage.until(running, seconds=30, what=f"one of the jobs {ids} runs in every process")


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
