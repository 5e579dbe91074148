"""PostgreSQL's pod goes away, and the network between the apps and PostgreSQL does (failure mode 3)."""

from datetime import datetime

import psycopg

from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import answered_within, felt_at_all, never_internal
from tests.e2e.case import ClusterCase
from tests.e2e.cases.backing import delete_backing_pod
from tests.e2e.cases.network import parted
from tests.e2e.scene import Scene

_POSTGRES = "postgres"
_PARTED_SECONDS = 15.0


def _started_at(scene: Scene) -> datetime:
    """Return when the server that answers started: for a moment after its pod is gone that is still the former one."""
    with psycopg.connect(scene.stage.reach.database_url, connect_timeout=1) as session:
        (started,) = session.execute("SELECT pg_postmaster_start_time()").fetchone() or (None,)
    assert isinstance(started, datetime)
    return started


async def delete_postgres(scene: Scene) -> float:
    """Delete the pod at once; the next one recovers from the log."""
    former = await scene.do(_started_at, scene)
    await delete_backing_pod(scene, _POSTGRES)
    await scene.until(lambda: _started_at(scene) != former, "PostgreSQL accepts again", seconds=120)
    return scene.stage.heals("PostgreSQL accepts again")


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
