"""Rollouts whose new pods never get ready: the pods before them go on (failure modes 1, 2 and 5)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from tests.e2e.case import ClusterCase
from tests.e2e.cases.checks import nothing_failed
from tests.e2e.kube import waiting_reasons
from tests.e2e.scene import Scene

_SEEN_SECONDS = 120.0
_FEWEST = 2  # what an HPA always keeps; it may take away more than that meanwhile
_TOO_LITTLE = "24Mi"  # of memory: not even the imports fit


@dataclass(frozen=True, slots=True)
class _Release:
    """A release of one workload that is rolled out badly."""

    name: str
    app: str
    deployment: str
    values: str = ""  # under which the workload's own values are


_API = _Release("api", "api", "api")
_WORKER = _Release("worker", "worker", "worker", "worker.")
_CONSUMER = _Release("sqs-consumer", "sqs-consumer", "sqs-consumer")


async def roll_out_badly(scene: Scene) -> float:
    """Roll out an image that cannot be had, so that its pods never get ready; then roll back."""
    since = scene.stage.breaks("roll out an API image that does not exist")
    wanted = {"ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff"}
    async with _rolled_out(scene, _API, "image.tag=never-built"):
        await scene.until(
            lambda: any(waiting_reasons(pod) & wanted for pod in scene.kube.pods(_API.app)),
            "the new pod waits for its image",
            seconds=_SEEN_SECONDS,
        )
        await scene.stage.last(5)
    return since


def without_memory(release: _Release) -> Callable[[Scene], Awaitable[float]]:
    """Roll out a workload that may not have the memory it needs: killed at every start, it never takes over."""

    async def act(scene: Scene) -> float:
        since = scene.stage.breaks(f"roll out {release.name} with {_TOO_LITTLE} of memory")
        resources = f"{release.values}resources"
        options = (f"{resources}.limits.memory={_TOO_LITTLE}", f"{resources}.requests.memory={_TOO_LITTLE}")

        def in_a_loop() -> bool:
            reasons = [waiting_reasons(pod) for pod in scene.kube.pods(release.app)]
            return any(
                "CrashLoopBackOff" in found and {"OOMKilled", "Error", "StartError"} & found for found in reasons
            )

        async with _rolled_out(scene, release, *options):
            await scene.until(in_a_loop, "the new pod is in a crash loop", seconds=_SEEN_SECONDS)
            seen = {reason for pod in await scene.do(scene.kube.pods, release.app) for reason in waiting_reasons(pod)}
            scene.stage.notes.append(f"seen: {', '.join(sorted(seen))}")
        return since

    return act


@asynccontextmanager
async def _rolled_out(scene: Scene, release: _Release, *values: str) -> AsyncIterator[None]:
    """Upgrade a release; at the end the pods before must still be ready, and the release is rolled back."""
    options = [option for value in values for option in ("--set", value)]
    try:
        await scene.do(scene.helm.upgrade, release.name, "--no-hooks", *options)
        yield
        ready = len(await scene.do(scene.kube.ready_pods, release.app))
        if ready < _FEWEST:
            raise LocalError(f"only {ready} pods of {release.name} are ready while the bad rollout is stuck")
    finally:
        await scene.do(scene.helm.rollback, release.name, "--no-hooks")
        await scene.until_rolled_out([release.deployment])
        scene.stage.heals("helm rollback")
    scene.stage.recovered("rolled back")


CASES = (
    ClusterCase(
        name="bad_rollout",
        breaks="an API image that never gets ready",
        act=roll_out_badly,
        felt=Felt.MARKED,
        budget_seconds=120,
        counted_from="the rollout",
        checks=(nothing_failed,),
    ),
    ClusterCase(
        name="api_out_of_memory",
        breaks="an API that is out of memory at each start, in a crash loop",
        act=without_memory(_API),
        felt=Felt.MARKED,
        budget_seconds=180,
        counted_from="the rollout",
        checks=(nothing_failed,),
    ),
    ClusterCase(
        name="worker_out_of_memory",
        breaks="workers that are out of memory at each start, in a crash loop",
        act=without_memory(_WORKER),
        felt=Felt.MARKED,
        budget_seconds=180,
        counted_from="the rollout",
        checks=(nothing_failed,),
    ),
    ClusterCase(
        name="consumer_out_of_memory",
        breaks="consumers that are out of memory at each start, in a crash loop",
        act=without_memory(_CONSUMER),
        felt=Felt.MARKED,
        budget_seconds=180,
        counted_from="the rollout",
        checks=(nothing_failed,),
    ),
)
