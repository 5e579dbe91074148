"""Redis has no memory left, and refuses every command that would take some (failure mode 4)."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import jobs_waited, writes_unharmed
from taskhub_local.faults.stage import Stage
from taskhub_local.parts.app import App

_QUEUEING_SECONDS = 3.0
_FULL_SECONDS = 10.0


async def fill_redis(stage: Stage) -> float:
    """Fill Redis while jobs are queued: the worker stands still for a moment, so that it takes them from a full one."""
    with redis.Redis.from_url(stage.target.describe().part("redis").url) as client:
        frozen = stage.target.freeze(App.WORKER.value)
        try:
            await stage.last(_QUEUEING_SECONDS)
            queued = client.llen("taskhub-jobs")
            stage.breaks(f"no memory for Redis for {_FULL_SECONDS:g} s, with {queued} messages in the queue")
            with _without_memory(client):
                frozen.thaw()
                await stage.last(_FULL_SECONDS)
                await stage.client.log_in()  # the rate limiter cannot count, and lets through
        finally:
            frozen.thaw()
    stage.notes.append(f"{queued} messages were in the queue")
    return stage.heals("Redis has memory")


@contextmanager
def _without_memory(client: redis.Redis) -> Iterator[None]:
    """As maxmemory is reached, by a limit below what is in use. Raises LocalError if it would evict instead."""
    if client.config_get("maxmemory-policy") != {"maxmemory-policy": "noeviction"}:
        raise LocalError("this Redis evicts: it is never full")
    before = client.config_get("maxmemory")["maxmemory"] or 0
    client.config_set("maxmemory", 1)
    try:
        yield
    finally:
        client.config_set("maxmemory", before)


CASES = (
    case(
        "redis-full",
        f"no memory for Redis for {_FULL_SECONDS:g} s, with jobs queued",
        fill_redis,
        felt=Felt.JOBS,
        checks=(writes_unharmed, jobs_waited),
    ),
)
