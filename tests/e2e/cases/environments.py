"""Two environments from one repository: each runs what its version file says (one of the cases of gitops.py)."""

import secrets
from pathlib import Path

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from tests.e2e import preview
from tests.e2e.argo import ENVIRONMENT, ROOT
from tests.e2e.case import ClusterCase
from tests.e2e.cases.checks import nothing_failed
from tests.e2e.commits import argo_of, until, until_it_runs
from tests.e2e.kube import APPS
from tests.e2e.repository import set_values
from tests.e2e.scene import Scene

_SECOND = f"{preview.NAME}-taskhub"
_KEY = "e2e-environments"  # an annotation


async def serve_two(scene: Scene) -> float:
    """Add an environment that is pinned to a commit; a later commit reaches it only when its version file says so."""
    repository = argo_of(scene).repository
    before = await scene.do(lambda: repository.head)
    stamp = secrets.token_hex(4)

    def change(folder: Path) -> None:
        for environment in (ENVIRONMENT, preview.FOLDER):
            set_values(folder / environment / "api.yaml", {"podAnnotations": {_KEY: stamp}})

    since = scene.stage.breaks("a commit with a second environment")
    try:
        await scene.do(preview.prepare, scene.kube)
        first = await scene.do(repository.commit, "A second environment", preview.describe)
        await scene.do(repository.commit, "It runs", lambda folder: preview.run(folder, revision=first))
        await _until_second_runs(scene, first)
        scene.stage.heals("the second environment is healthy")
        second = await scene.do(repository.commit, "A change of both", change)
        await until_it_runs(scene, second)
        await _expect(scene, stamp, APPS)
        await _until_second_runs(scene, first)
        await _expect(scene, "", preview.NAME)
        scene.stage.heals("the change has reached the first environment alone")
        await scene.do(repository.commit, "Promote it", lambda folder: preview.run(folder, revision=second))
        await _until_second_runs(scene, second)
        await _expect(scene, stamp, preview.NAME)
        scene.stage.heals("the change is promoted")
    finally:
        restored = await scene.do(repository.restore, before)
        # Nothing that runs goes with its environment's block: until somebody deletes its Application, the root waits.
        await until(scene, lambda: argo_of(scene).application(ROOT).has(restored), f"{ROOT} has {restored[:8]}")
        await scene.do(preview.remove, scene.kube)
        await until_it_runs(scene, restored)
    scene.stage.recovered("the second environment is gone, and all is healthy")
    return since


async def _until_second_runs(scene: Scene, commit: str) -> None:
    await until(scene, lambda: argo_of(scene).application(_SECOND).runs(commit), f"{_SECOND} runs {commit[:8]}")


async def _expect(scene: Scene, stamp: str, namespace: str) -> None:
    found = await scene.do(scene.kube.deployment, "api", namespace)
    seen = (found.spec.template.metadata.annotations or {}).get(_KEY, "")
    if seen != stamp:
        raise LocalError(f"the API in {namespace} is of {seen or 'no such commit'}, not of {stamp or 'none'}")


CASE = ClusterCase(
    name="gitops_two_environments",
    breaks="a second environment, pinned to a commit, and promoted",
    act=serve_two,
    felt=Felt.MARKED,
    budget_seconds=480,
    counted_from="the commit",
    checks=(nothing_failed,),
    gitops=True,
)
