"""The API is scaled up under load and down after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx

from taskhub_local.faults.case import Felt
from taskhub_local.faults.client import HttpCall
from tests.e2e.case import ClusterCase
from tests.e2e.cases.checks import nothing_failed
from tests.e2e.kube import APPS, Kube, asked
from tests.e2e.scene import Scene

_API = "api"
_CLIENTS = 8
_PAUSE_SECONDS = 0.02
_UP_SECONDS = 180.0
_DOWN_SECONDS = 240.0
_SOON = {"scaleDown": {"stabilizationWindowSeconds": 15}}


async def scale_api(scene: Scene) -> float:
    """Ask more of the API than its pods are meant for; then stop asking."""
    before = (await scene.do(scene.kube.deployment, _API)).spec.replicas
    async with _quick_to_scale_down(scene):
        since = scene.stage.breaks(f"{_CLIENTS} more clients log in again and again")
        async with _asking(scene):
            await scene.until(lambda: _replicas(scene.kube) > before, "more API pods are wanted", seconds=_UP_SECONDS)
            await scene.until_rolled_out([_API])
            most = await scene.do(_replicas, scene.kube)
        scene.stage.recovered(f"scaled from {before} to {most} pods")
        scene.stage.heals("those clients are gone")
        await scene.until(lambda: _replicas(scene.kube) < most, "fewer API pods are wanted", seconds=_DOWN_SECONDS)
        after = await scene.do(_replicas, scene.kube)
        scene.stage.notes.append(f"{before} pods, {most} under load, {after} after it")
        await scene.until_rolled_out([_API])
    return since


def _replicas(kube: Kube) -> int:
    return int(kube.deployment(_API).spec.replicas)


@asynccontextmanager
async def _asking(scene: Scene) -> AsyncIterator[None]:
    over = asyncio.Event()

    # A login costs the API more processor time than anything else, and its client none.
    account = scene.stage.client.credentials
    call = HttpCall("POST", "/v1/token", json={"email": account.email, "password": account.password})

    async def ask() -> None:
        while not over.is_set():
            with suppress(httpx.HTTPError):  # the pulse says whether requests fail; this is only weight
                await scene.stage.client.raw(call)
            await asyncio.sleep(_PAUSE_SECONDS)

    clients = [asyncio.create_task(ask()) for _ in range(_CLIENTS)]
    try:
        yield
    finally:
        over.set()
        await asyncio.gather(*clients)


@asynccontextmanager
async def _quick_to_scale_down(scene: Scene) -> AsyncIterator[None]:
    scaling = scene.kube.scaling
    found = await scene.do(asked(scaling.read_namespaced_horizontal_pod_autoscaler), _API, APPS)
    former = scene.kube.api.sanitize_for_serialization(found.spec.behavior)
    patch = asked(scaling.patch_namespaced_horizontal_pod_autoscaler)
    await scene.do(patch, _API, APPS, {"spec": {"behavior": _SOON}})
    try:
        yield
    finally:
        await scene.do(patch, _API, APPS, {"spec": {"behavior": former}})


CASES = (
    ClusterCase(
        name="api_scaled",
        breaks="more load than the API's pods are meant for",
        act=scale_api,
        felt=Felt.MARKED,
        budget_seconds=150,
        counted_from="the load",
        checks=(nothing_failed,),
    ),
)
