"""What the cases of Argo CD have in common: commits, and waiting until they run."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from taskhub_local.errors import LocalError
from tests.e2e.argo import ENVIRONMENT, Argo
from tests.e2e.kube import APPS, asked
from tests.e2e.repository import set_values
from tests.e2e.scene import DEPLOYMENTS, Scene

COMPONENT = "app.kubernetes.io/instance"
"""The label by which a component's objects are found."""
_TEMPLATE = "pod-template-hash"  # a label
_STAMP = "e2e-commit"
_SYNCED_SECONDS = 300.0
_POLL_SECONDS = 1.0


def rolled(stamp: str) -> Callable[[Path], None]:
    """An edit that gives every pod another annotation, and so replaces them all."""
    new = {"podAnnotations": {_STAMP: stamp}}

    def edit(folder: Path) -> None:
        set_values(folder / ENVIRONMENT / "api.yaml", new)
        set_values(folder / ENVIRONMENT / "worker.yaml", {"worker": new, "dispatcher": new})
        set_values(folder / ENVIRONMENT / "sqs-consumer.yaml", new)

    return edit


@asynccontextmanager
async def committed(scene: Scene, why: str, edit: Callable[[Path], None]) -> AsyncIterator[str]:
    """Commit an edit; at the end revert it, and wait until the reverted state runs well."""
    repository = argo_of(scene).repository
    commit = await scene.do(repository.commit, why, edit)
    try:
        yield commit
    finally:
        scene.stage.heals("the commit is reverted")
        await until_it_runs(scene, await scene.do(repository.revert, commit))


async def until_it_runs(scene: Scene, commit: str) -> None:
    """Wait until every Application of the environment runs the commit, and well. Raises LocalError if they never do."""
    await until(scene, lambda: argo_of(scene).all_run(commit), f"everything runs {commit[:8]}")
    await scene.until_rolled_out()


async def until(scene: Scene, condition: Callable[[], bool], what: str) -> None:
    """Wait for something that Argo CD does, which takes a while. Raises LocalError with what it says of itself."""
    deadline = time.monotonic() + _SYNCED_SECONDS
    while not await scene.do(_holds, condition):
        if time.monotonic() > deadline:
            states = await scene.do(argo_of(scene).states)
            raise LocalError(f"waited {_SYNCED_SECONDS:g} s in vain until {what}; {states}")
        await asyncio.sleep(_POLL_SECONDS)


def argo_of(scene: Scene) -> Argo:
    """Return Argo CD. Raises LocalError where there is none."""
    if scene.argo is None:
        raise LocalError("there is no Argo CD in this cluster")
    return scene.argo


async def expect_stamp(scene: Scene, stamp: str) -> None:
    """Raise LocalError unless every Deployment is of the commit with that stamp."""
    for name in DEPLOYMENTS:
        found = await scene.do(scene.kube.deployment, name)
        if (found.spec.template.metadata.annotations or {}).get(_STAMP) != stamp:
            raise LocalError(f"Argo CD says that the commit runs, and {name} is not changed")


def templates(scene: Scene, component: str = "") -> set[str]:
    """Which pod templates the pods of a component are of, or those of all. The HPA may change how many they are."""
    wanted = f"{COMPONENT}={component}" if component else COMPONENT
    pods = asked(scene.kube.core.list_namespaced_pod)(APPS, label_selector=wanted, _request_timeout=15).items
    return {pod.metadata.labels[_TEMPLATE] for pod in pods if _TEMPLATE in pod.metadata.labels}


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except LocalError:
        return False
