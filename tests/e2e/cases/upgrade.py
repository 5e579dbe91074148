"""Upgrades from one schema to the next: of everything, and one whose migration fails (failure mode 1)."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import yaml

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from tests.e2e.case import ClusterCase
from tests.e2e.cases.checks import nothing_failed
from tests.e2e.folder import FOLDER
from tests.e2e.install import config_map, extra_pod_values, write_config_map
from tests.e2e.kube import COMPONENTS, node_names
from tests.e2e.scene import Scene

_CONFIG_MAP = "next-revision"
_REVISION = "e2e"
_COLUMN = "e2e_note"
_INSIDE = "/app/lib/python3.13/site-packages/taskhub_core/migrations/versions"
_NEXT = f'''
from alembic import op

revision = "{_REVISION}"
down_revision = "%s"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE tasks ADD COLUMN {_COLUMN} text NOT NULL DEFAULT ''")
'''
_FAILING = f"""{_NEXT}    op.execute("ALTER TABLE no_such_table ADD COLUMN {_COLUMN} text")
"""


async def upgrade_everything(scene: Scene) -> float:
    """Upgrade every release, the schema first: the next revision adds a column to the busiest table.

    One after the other, in the order of Argo CD's waves.
    """
    async with _next_revision(scene, _NEXT) as options:
        since = scene.stage.breaks("helm upgrade of every release, with a migration")
        # The API's release migrates before any new pod of any release starts; the old pods meet the new schema.
        await scene.do(scene.helm.upgrade, "api", *options, "--timeout", "180s")
        if await scene.do(_revision, scene) != _REVISION:
            raise LocalError("the release was upgraded, and its migration has not run")
        scene.stage.heals("the migration has run")
        stamp = f"podAnnotations.e2e-rolled={secrets.token_hex(4)}"
        await scene.until_rolled_out(["api"], seconds=240)
        of_both = ("--set-string", f"worker.{stamp}", "--set-string", f"dispatcher.{stamp}")
        await scene.do(scene.helm.upgrade, "worker", *of_both)
        await scene.until_rolled_out(["worker", "worker-dispatcher"], seconds=240)
        await scene.do(scene.helm.upgrade, "sqs-consumer", "--set-string", stamp)
        await scene.until_rolled_out(seconds=240)
        scene.stage.recovered("every pod is new")
        await scene.stage.last(3)
        for app in COMPONENTS:
            nodes = node_names(await scene.do(scene.kube.ready_pods, app))
            if len(nodes) < 2:
                raise LocalError(f"after the upgrade every pod of {app} runs on {', '.join(nodes)}")
    return since


async def fail_migration(scene: Scene) -> float:
    """Upgrade the API with a migration that fails half-way: nothing of it stays, and no new pod starts."""
    head = await scene.do(_revision, scene)
    async with _next_revision(scene, _FAILING) as options:
        before = await scene.do(_templates, scene)
        since = scene.stage.breaks("helm upgrade of the API, with a migration that fails")
        try:
            await scene.do(
                scene.helm.upgrade, "api", *options, "--set", "migration.backoffLimit=0", "--timeout", "120s"
            )
        except LocalError as error:
            scene.stage.notes.append(str(error).rpartition("Error: ")[2])
        else:
            raise LocalError("a migration that fails did not stop the release")
        scene.stage.recovered("the release stopped")
        await scene.stage.last(3)
        if new := await scene.do(_templates, scene) - before:
            raise LocalError(f"pods of another template started: {', '.join(sorted(new))}")
        if (revision := await scene.do(_revision, scene)) != head:
            raise LocalError(f"the schema is at {revision} after a migration that failed; it was at {head}")
        if await scene.do(_has_column, scene):
            raise LocalError("half of a migration that failed is in the schema")
    return since


@asynccontextmanager
async def _next_revision(scene: Scene, revision: str) -> AsyncIterator[tuple[str, ...]]:
    """Put a revision after the newest into the API's pods; at the end take it back, out of the database too."""
    head = await scene.do(_revision, scene)
    name = f"{_REVISION}.py"
    await scene.do(write_config_map, scene.kube, config_map(_CONFIG_MAP, {name: revision % head}))
    mount = {"name": _CONFIG_MAP, "mountPath": f"{_INSIDE}/{name}", "subPath": name, "readOnly": True}
    values = await scene.do(extra_pod_values)
    before = _written("before", values)
    values["extraVolumes"].append({"name": _CONFIG_MAP, "configMap": {"name": _CONFIG_MAP}})
    values["extraVolumeMounts"].append(mount)
    try:
        yield ("--values", str(_written("next", values)))
    finally:
        await scene.do(_take_back, scene, head)
        await scene.do(scene.helm.upgrade, "api", "--no-hooks", "--values", str(before))
        await scene.until_rolled_out(["api"], seconds=240)


def _written(name: str, values: dict[str, Any]) -> Path:
    path = FOLDER / f"api-{name}-values.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def _revision(scene: Scene) -> str:
    with psycopg.connect(scene.stage.reach.database_url) as session:
        (revision,) = session.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    return str(revision)


def _has_column(scene: Scene) -> bool:
    with psycopg.connect(scene.stage.reach.database_url) as session:
        query = "SELECT FROM information_schema.columns WHERE table_name = 'tasks' AND column_name = %s"
        return session.execute(query, [_COLUMN]).fetchone() is not None


def _templates(scene: Scene) -> set[str]:
    """Which pod templates the API's pods are of."""
    return {pod.metadata.labels["pod-template-hash"] for pod in scene.kube.pods("api")}


def _take_back(scene: Scene, head: str) -> None:
    with psycopg.connect(scene.stage.reach.database_url) as session:
        session.execute("SET lock_timeout = '10s'")
        session.execute(f"ALTER TABLE tasks DROP COLUMN IF EXISTS {_COLUMN}")
        session.execute("UPDATE alembic_version SET version_num = %s", [head])


CASES = (
    ClusterCase(
        name="rolling_upgrade",
        breaks="every release upgraded, with a migration",
        act=upgrade_everything,
        felt=Felt.MARKED,
        budget_seconds=180,
        counted_from="the upgrade",
        checks=(nothing_failed,),
    ),
    ClusterCase(
        name="migration_fails",
        breaks="the API upgraded with a migration that fails",
        act=fail_migration,
        felt=Felt.MARKED,
        budget_seconds=120,
        counted_from="the upgrade",
        checks=(nothing_failed,),
    ),
)
