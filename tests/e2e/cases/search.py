"""Elasticsearch goes away, and loses its index with its volume (failure mode 6)."""

import asyncio
import time
from typing import Any

from taskhub_local.errors import LocalError
from taskhub_local.faults import plain
from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import degraded_at_all, searches_answered, writes_unharmed
from taskhub_local.faults.client import HttpCall
from tests.e2e.case import ClusterCase
from tests.e2e.cases.backing import delete_backing_pod, wipe_backing
from tests.e2e.scene import Scene

_ELASTICSEARCH = "elasticsearch"
_START_SECONDS = 240.0
_STEADY_SECONDS = 90.0
_BETWEEN_SECONDS = 0.2
_ROW = 25


def _ask(scene: Scene, path: str) -> Any:
    url = scene.stage.reach.elasticsearch_url
    if url is None:
        raise LocalError("the cluster runs without Elasticsearch")
    return plain.get(f"{url}/{path}", timeout_seconds=3).raise_for_status().json()


def _started_at(scene: Scene) -> int:
    """Return when the process that answers started: for a moment after its pod is gone that is still the former one."""
    (node,) = _ask(scene, "_nodes/_local/jvm")["nodes"].values()
    return int(node["jvm"]["start_time_in_millis"])


async def _until_healthy(scene: Scene, former: int) -> float:
    """Wait until another process than that which started then is healthy, and answers; return the time of the first."""

    def healthy() -> bool:
        return _started_at(scene) != former and _ask(scene, "_cluster/health")["status"] in {"green", "yellow"}

    await scene.until(healthy, "Elasticsearch is healthy again", seconds=_START_SECONDS)
    since = scene.stage.heals("Elasticsearch is healthy")
    await _until_steady(scene)
    return since


async def _until_steady(scene: Scene) -> None:
    """Wait until a row of searches was answered by Elasticsearch, so that the load sees the end of its slow start."""
    call = HttpCall("GET", "/v1/search", params={"q": "load"})
    deadline, row = time.monotonic() + _STEADY_SECONDS, 0
    while row < _ROW:
        if time.monotonic() > deadline:
            raise LocalError(f"searches are not answered by Elasticsearch {_STEADY_SECONDS:g} s after it is healthy")
        answer = await scene.stage.client.raw(call)
        row = row + 1 if answer.is_success and answer.json()["source"] == "elasticsearch" else 0
        await asyncio.sleep(_BETWEEN_SECONDS)


async def delete_elasticsearch(scene: Scene) -> float:
    """Delete the pod at once; the next one has its volume."""
    former = await scene.do(_started_at, scene)
    await delete_backing_pod(scene, _ELASTICSEARCH)
    return await _until_healthy(scene, former)


async def wipe_elasticsearch(scene: Scene) -> float:
    """Delete the pod and its volume; TaskHub builds the index anew from PostgreSQL."""
    former = await scene.do(_started_at, scene)
    await wipe_backing(scene, _ELASTICSEARCH)
    return await _until_healthy(scene, former)


# The promise is 1 s; the rest is for a machine on which Elasticsearch itself is starting meanwhile.
_CHECKS = (searches_answered(1.0, at_most=3.0), degraded_at_all, writes_unharmed)

CASES = (
    ClusterCase(
        name="elasticsearch_deleted",
        breaks="Elasticsearch's pod deleted at once",
        act=delete_elasticsearch,
        felt=Felt.SEARCHES,
        budget_seconds=20,
        counted_from="it is healthy",
        checks=_CHECKS,
        settle_seconds=180.0,
    ),
    ClusterCase(
        name="elasticsearch_wipe",
        breaks="Elasticsearch's pod and volume deleted",
        act=wipe_elasticsearch,
        felt=Felt.SEARCHES,
        budget_seconds=60,
        counted_from="it is healthy",
        checks=_CHECKS,
        settle_seconds=240.0,
    ),
)
