"""PostgreSQL's pod goes away, and the network between the apps and PostgreSQL does (failure mode 3)."""

from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import answered_within, felt_at_all, never_internal
from tests.e2e.case import ClusterCase
from tests.e2e.cases.backing import delete_backing_pod
from tests.e2e.cases.network import parted
from tests.e2e.scene import Scene

_POSTGRES = "postgres"
_PARTED_SECONDS = 15.0


async def delete_postgres(scene: Scene) -> float:
    """Delete the pod at once; the next one recovers from the log."""
    pod = await delete_backing_pod(scene, _POSTGRES)
    await scene.until(lambda: scene.kube.is_gone(pod), "the pod is gone")
    return await scene.stage.until_postgres_accepts(seconds=120)


async def part_postgres(scene: Scene) -> float:
    """Drop every packet between the apps' pods and PostgreSQL."""
    async with parted(scene, _POSTGRES, _PARTED_SECONDS):
        await scene.stage.last(_PARTED_SECONDS)
    return scene.stage.heals("packets pass again")


# The promise is 2 s; the rest is for a machine that carries a whole cluster beside the load.
_ANSWERED = answered_within(2.5, at_most=6.0)

CASES = (
    ClusterCase(
        name="postgres_deleted",
        breaks="PostgreSQL's pod deleted at once",
        act=delete_postgres,
        felt=Felt.WRITES,
        budget_seconds=10,
        counted_from="PostgreSQL accepts",
        checks=(never_internal, _ANSWERED),
    ),
    ClusterCase(
        name="postgres_partitioned",
        breaks=f"no packet between the apps and PostgreSQL for {_PARTED_SECONDS:g} s",
        act=part_postgres,
        felt=Felt.WRITES,
        budget_seconds=10,
        counted_from="packets pass",
        checks=(felt_at_all, never_internal, _ANSWERED),
        nodes=True,
    ),
)
