"""Argo CD syncs what is committed, and nothing else; it and its releases fail without anybody noticing (mode change).

These cases need Argo CD in the cluster: `make e2e CASE=gitops` puts it there.
"""

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import yaml

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from tests.e2e.argo import ENVIRONMENT, TASKHUB, Application
from tests.e2e.case import ClusterCase
from tests.e2e.cases import environments
from tests.e2e.cases.checks import nothing_failed
from tests.e2e.commits import COMPONENT, argo_of, committed, expect_stamp, rolled, templates, until, until_it_runs
from tests.e2e.install import config_map, extra_pod_values, write_config_map
from tests.e2e.kube import APPS, asked
from tests.e2e.repository import set_values
from tests.e2e.scene import Scene

_FEWEST = 2  # what the API's HPA always keeps
_CONFIG_MAP = "failing-revision"
_INSIDE = "/app/lib/python3.13/site-packages/taskhub_core/migrations/versions"
_FAILING = """
from alembic import op

revision = "e2e"
down_revision = "%s"


def upgrade() -> None:
    op.execute("ALTER TABLE no_such_table ADD COLUMN note text")
"""


async def sync_commit(scene: Scene) -> float:
    """Commit a change of every component, and touch nothing else."""
    stamp = secrets.token_hex(4)
    since = scene.stage.breaks("a commit that changes every component")
    commit = await scene.do(argo_of(scene).repository.commit, "Roll everything", rolled(stamp))
    await until_it_runs(scene, commit)
    await expect_stamp(scene, stamp)
    scene.stage.recovered("the commit runs, and all is healthy")
    await scene.stage.last(3)
    return since


async def change_by_hand(scene: Scene) -> float:
    """Change what Git says, and what it leaves to others: the image is set back, the replicas are not."""
    argo = argo_of(scene)
    before = await scene.do(argo.application)
    image = await scene.do(_image, scene)
    since = scene.stage.breaks("by hand: one replica more of the API")
    replicas = (await scene.do(scene.kube.deployment, "api")).spec.replicas
    await scene.do(scene.kube.scale, "api", replicas + 1)
    for _ in range(2):
        last = await scene.do(argo.application)
        seen = last.reconciled_at
        await until(scene, lambda seen=seen: argo.application().reconciled_at != seen, "Argo CD looks again")
    after = await scene.do(argo.application)
    if after.sync != "Synced" or after.operation.get("startedAt") != before.operation.get("startedAt"):
        raise LocalError(f"Argo CD does not leave the replicas alone: {after}")
    if owner := await scene.do(_owners_of_replicas, scene):
        raise LocalError(f"the replicas belong to {owner}, not to the HPA alone")
    changed_at = scene.stage.breaks("by hand: another image of the API")
    await scene.do(_set_image, scene, "taskhub-api:by-hand")
    await until(scene, lambda: _image(scene) == image, "the image is set back")
    scene.stage.notes.append(f"the image was set back in {time.time() - changed_at:.1f} s")
    await scene.until_rolled_out(["api"])
    await until(scene, lambda: argo.application().health == "Healthy", f"{TASKHUB} is healthy")
    scene.stage.recovered("the image is Git's again")
    await scene.stage.last(3)
    return since


async def release_badly(scene: Scene) -> float:
    """Commit an API that has no memory to start with, see the Application degraded, and revert the commit."""

    def edit(folder: Path) -> None:
        little = {"memory": "24Mi"}
        bad = {"resources": {"requests": little, "limits": little}, "rollout": {"progressDeadlineSeconds": 30}}
        set_values(folder / ENVIRONMENT / "api.yaml", bad)

    since = scene.stage.breaks("a commit with an API that never gets ready")
    async with committed(scene, "An API without memory", edit):
        await until(scene, lambda: argo_of(scene).application().health == "Degraded", f"{TASKHUB} is degraded")
        scene.stage.notes.append(f"degraded {time.time() - since:.0f} s after the commit")
        ready = len(await scene.do(scene.kube.ready_pods, "api"))
        if ready < _FEWEST:
            raise LocalError(f"only {ready} API pods serve while the bad release is stuck")
    scene.stage.recovered("the commit is reverted, and all is healthy")
    return since


async def fail_migration(scene: Scene) -> float:
    """Commit a change of every component with a migration that fails: no pod is new until the commit is reverted."""
    argo = argo_of(scene)
    stamp = secrets.token_hex(4)
    head = await scene.do(_revision, scene)
    await scene.do(write_config_map, scene.kube, config_map(_CONFIG_MAP, {"e2e.py": _FAILING % head}))
    pod = await scene.do(extra_pod_values)
    pod["extraVolumes"].append({"name": _CONFIG_MAP, "configMap": {"name": _CONFIG_MAP}})
    mount = {"name": _CONFIG_MAP, "mountPath": f"{_INSIDE}/e2e.py", "subPath": "e2e.py", "readOnly": True}
    pod["extraVolumeMounts"].append(mount)

    def edit(folder: Path) -> None:
        rolled(stamp)(folder)
        set_values(folder / ENVIRONMENT / "api.yaml", {**pod, "migration": {"backoffLimit": 0}})

    before = await scene.do(templates, scene)
    since = scene.stage.breaks("a commit that changes every component, with a migration that fails")
    try:
        async with committed(scene, "A migration that fails", edit) as commit:

            def stopped() -> bool:
                sync = argo.application()
                return sync.operation.get("syncResult", {}).get("revisions", [""])[0] == commit and _has_failed(sync)

            await until(scene, stopped, "the sync stops at the migration")
            scene.stage.notes.append(f"stopped: {(await scene.do(argo.application)).operation.get('message', '')}")
            await scene.stage.last(5)
            if new := await scene.do(templates, scene) - before:
                raise LocalError(f"pods are new in spite of the migration, of the templates {', '.join(sorted(new))}")
    finally:
        await scene.do(asked(scene.kube.core.delete_namespaced_config_map), _CONFIG_MAP, APPS)
    scene.stage.recovered("the commit is reverted, and all is healthy")
    return since


async def remove_component(scene: Scene) -> float:
    """Remove the consumer from Git, and put it back: its objects go, the others stay, its messages wait."""

    def edit(folder: Path) -> None:
        path = folder / "argocd" / "apps" / "taskhub.yaml"
        described = yaml.safe_load(path.read_text())
        spec = described["spec"]["template"]["spec"]
        spec["sources"] = [source for source in spec["sources"] if source["path"] != "charts/sqs-consumer"]
        path.write_text(yaml.safe_dump(described, sort_keys=False))

    consumer = "sqs-consumer"
    others = await scene.do(templates, scene) - await scene.do(templates, scene, consumer)
    since = scene.stage.breaks("a commit without the consumer")
    async with committed(scene, "Without the consumer", edit) as commit:
        await until(scene, lambda: not _objects_of(scene, consumer), "nothing of the consumer is left")
        await until(scene, lambda: argo_of(scene).application().runs(commit), f"{TASKHUB} is healthy without it")
        if (left := await scene.do(templates, scene)) != others:
            raise LocalError(f"the other components' pods are not what they were: {left}, {others}")
        await scene.stage.last(5)
    await scene.until_rolled_out([consumer])
    scene.stage.recovered("the consumer is back, and all is healthy")
    return since


async def kill_argo(scene: Scene) -> float:
    """Kill every pod of Argo CD in the middle of a sync, which goes on where it was when they are back."""
    argo = argo_of(scene)
    stamp = secrets.token_hex(4)
    since = scene.stage.breaks("a commit that changes every component")
    commit = await scene.do(argo.repository.commit, "Roll everything", rolled(stamp))

    def in_the_middle() -> bool:
        return argo.application().phase == "Running" and not scene.kube.is_rolled_out("api")

    await until(scene, in_the_middle, "the sync is under way")
    scene.stage.breaks("every pod of Argo CD is killed")
    for pod in await scene.do(argo.pods):
        await scene.do(scene.kube.delete_pod, pod, at_once=True)
    await until_it_runs(scene, commit)
    await expect_stamp(scene, stamp)
    scene.stage.recovered("the commit runs, and all is healthy")
    return since


def _has_failed(application: Application) -> bool:
    """Whether the sync has failed, or is tried again after it has."""
    return application.phase in ("Failed", "Error") or application.operation.get("retryCount", 0) > 0


def _image(scene: Scene) -> str:
    return str(scene.kube.deployment("api").spec.template.spec.containers[0].image)


def _set_image(scene: Scene, image: str) -> None:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "api", "image": image}]}}}}
    asked(scene.kube.apps.patch_namespaced_deployment)("api", APPS, body, _request_timeout=15)


def _owners_of_replicas(scene: Scene) -> str:
    """Who has set the API's replicas by applying them, as Argo CD would."""
    fields: list[Any] = scene.kube.deployment("api").metadata.managed_fields or []
    owners = [one.manager for one in fields if one.operation == "Apply" and "f:replicas" in one.fields_v1["f:spec"]]
    return ", ".join(owners)


def _objects_of(scene: Scene, component: str) -> set[str]:
    """What is left of a component in the cluster."""
    label = f"{COMPONENT}={component}"
    lists: list[Callable[..., Any]] = [
        scene.kube.apps.list_namespaced_deployment,
        scene.kube.core.list_namespaced_pod,
        scene.kube.core.list_namespaced_config_map,
        scene.kube.core.list_namespaced_service,
        scene.kube.network.list_namespaced_network_policy,
    ]
    found = [one for look in lists for one in asked(look)(APPS, label_selector=label, _request_timeout=15).items]
    return {one.metadata.name for one in found}


def _revision(scene: Scene) -> str:
    with psycopg.connect(scene.stage.reach.database_url) as session:
        (revision,) = session.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    return str(revision)


CASES = (
    ClusterCase(
        name="gitops_commit_synced",
        breaks="a commit that changes every component",
        act=sync_commit,
        felt=Felt.MARKED,
        budget_seconds=300,
        counted_from="the commit",
        checks=(nothing_failed,),
        gitops=True,
    ),
    ClusterCase(
        name="gitops_changed_by_hand",
        breaks="replicas and image changed by hand; only the image is set back",
        act=change_by_hand,
        felt=Felt.MARKED,
        budget_seconds=240,
        counted_from="the first change",
        checks=(nothing_failed,),
        gitops=True,
    ),
    ClusterCase(
        name="gitops_bad_release",
        breaks="a commit with an API that never gets ready, and its revert",
        act=release_badly,
        felt=Felt.MARKED,
        budget_seconds=360,
        counted_from="the commit",
        checks=(nothing_failed,),
        gitops=True,
    ),
    ClusterCase(
        name="gitops_migration_fails",
        breaks="a commit whose migration fails, and its revert",
        act=fail_migration,
        felt=Felt.MARKED,
        budget_seconds=300,
        counted_from="the commit",
        checks=(nothing_failed,),
        gitops=True,
    ),
    ClusterCase(
        name="gitops_component_removed",
        breaks="the consumer removed from Git, and put back",
        act=remove_component,
        felt=Felt.MARKED,
        budget_seconds=360,
        counted_from="the commit",
        checks=(nothing_failed,),
        gitops=True,
    ),
    environments.CASE,
    ClusterCase(
        name="gitops_argo_killed",
        breaks="every pod of Argo CD killed in the middle of a sync",
        act=kill_argo,
        felt=Felt.MARKED,
        budget_seconds=360,
        counted_from="the commit",
        checks=(nothing_failed,),
        gitops=True,
    ),
)
