"""Redis goes away, and forgets everything (failure mode 4)."""

from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import writes_unharmed
from tests.e2e.case import ClusterCase
from tests.e2e.cases.backing import delete_backing_pod, until_ready, wipe_backing
from tests.e2e.cases.network import parted
from tests.e2e.scene import Scene

_REDIS = "redis"
_PARTED_SECONDS = 15.0


async def delete_redis(scene: Scene) -> float:
    """Delete the pod at once; the next one has what its append-only file says."""
    pod = await delete_backing_pod(scene, _REDIS)
    await scene.until(lambda: scene.kube.is_gone(pod), "the pod is gone")
    return await until_ready(scene, _REDIS)


async def wipe_redis(scene: Scene) -> float:
    """Delete the pod and its volume: every message that was in it is gone."""
    await wipe_backing(scene, _REDIS)
    return await until_ready(scene, _REDIS)


async def part_redis(scene: Scene) -> float:
    """Drop every packet between the apps' pods and Redis."""
    async with parted(scene, _REDIS, _PARTED_SECONDS):
        await scene.stage.last(_PARTED_SECONDS)
    return scene.stage.heals("packets pass again")


CASES = (
    ClusterCase(
        name="redis_deleted",
        breaks="Redis' pod deleted at once",
        act=delete_redis,
        felt=Felt.JOBS,
        budget_seconds=15,
        counted_from="Redis is ready",
        checks=(writes_unharmed,),
    ),
    ClusterCase(
        name="redis_partitioned",
        breaks=f"no packet between the apps and Redis for {_PARTED_SECONDS:g} s",
        act=part_redis,
        felt=Felt.JOBS,
        budget_seconds=20,
        counted_from="packets pass",
        checks=(writes_unharmed,),
        nodes=True,
    ),
    ClusterCase(
        name="redis_wipe",
        breaks="Redis' pod and volume deleted",
        act=wipe_redis,
        felt=Felt.JOBS,
        budget_seconds=15,
        counted_from="Redis is ready",
        checks=(writes_unharmed,),
    ),
)
