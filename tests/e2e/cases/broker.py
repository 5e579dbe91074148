"""Redis goes away, and forgets everything (failure mode 4)."""

from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import writes_unharmed
from tests.e2e.case import ClusterCase
from tests.e2e.cases.backing import delete_backing_pod, until_ready, wipe_backing
from tests.e2e.scene import Scene

_REDIS = "redis"


async def delete_redis(scene: Scene) -> float:
    """Delete the pod at once; the next one has what its append-only file says."""
    pod = await delete_backing_pod(scene, _REDIS)
    await scene.until(lambda: scene.kube.is_gone(pod), "the pod is gone")
    return await until_ready(scene, _REDIS)


async def wipe_redis(scene: Scene) -> float:
    """Delete the pod and its volume: every message that was in it is gone."""
    await wipe_backing(scene, _REDIS)
    return await until_ready(scene, _REDIS)


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
        name="redis_wipe",
        breaks="Redis' pod and volume deleted",
        act=wipe_redis,
        felt=Felt.JOBS,
        budget_seconds=15,
        counted_from="Redis is ready",
        checks=(writes_unharmed,),
    ),
)
