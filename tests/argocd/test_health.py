"""An object counts as healthy when it is: by Argo CD's own Lua, run on objects as the controllers write them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.argocd.world import DEFINITIONS, ENVIRONMENTS, Manifest, all_renderings, documents, kind_of
from tests.charts.schemas import custom_schemas
from tests.e2e.cluster.golang import go
from tests.e2e.cluster.shell import run
from tests.e2e.cluster.tools import tool
from tests.e2e.cluster.versions import ARGO_CD

_PREFIX = "resource.customizations.health."
# Their status says nothing about them, or they have none: who reads them would have to be asked.
_WITHOUT_HEALTH = {
    ("monitoring.coreos.com", "PrometheusRule"),
    ("monitoring.coreos.com", "ServiceMonitor"),
    ("keda.sh", "TriggerAuthentication"),
    ("argoproj.io", "AppProject"),
}
_BUILDING_SECONDS = 300
_NEW: Manifest = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {}}


def _own_checks() -> dict[str, str]:
    (settings,) = (each for each in documents("bootstrap/settings") if each["metadata"]["name"] == "argocd-cm")
    return {key.removeprefix(_PREFIX): text for key, text in settings["data"].items() if key.startswith(_PREFIX)}


def _lua(value: Any) -> str:
    """A value in Lua's words."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{json.dumps(key)}] = {_lua(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(_lua(each) for each in value) + "}"
    return json.dumps(value)


def _health(manifest: Manifest) -> tuple[str, str]:
    group, kind = kind_of(manifest)
    check = _own_checks()[f"{group}_{kind}"]
    # Argo CD gives checks the basics and tables alone.
    program = f"string, math, io = nil\nlocal function check(obj)\n{check}\nend\nlocal hs = check({_lua(manifest)})\n"
    program += "print(hs.status)\nprint(hs.message)"
    result = subprocess.run([tool("glua"), "-e", program], capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    status, message = result.stdout.splitlines()
    return status, message


def _set(made: bool | None, *healths: str | None, error: bool = False) -> Manifest:
    """An ApplicationSet with Applications of these healths."""
    conditions = [{"type": "ErrorOccurred", "status": str(error), "message": "no such file"}]
    if made is not None:
        conditions.append({"type": "ResourcesUpToDate", "status": str(made), "message": ""})
    resources = [
        {"name": f"app-{number}", **({"health": {"status": health}} if health else {})}
        for number, health in enumerate(healths)
    ]
    status = {"conditions": conditions, **({"resources": resources} if resources else {})}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {}, "status": status}


@pytest.mark.timeout(_BUILDING_SECONDS)
@pytest.mark.parametrize(
    ("application_set", "health"),
    [
        (_set(True, "Healthy", "Healthy"), ("Healthy", "Its Applications are healthy")),
        (_set(True), ("Healthy", "Its Applications are healthy")),  # none is for this cluster
        (_set(True, "Healthy", "Suspended"), ("Healthy", "Its Applications are healthy")),
        (_set(True, "Progressing", "Healthy"), ("Progressing", "app-0 is Progressing")),
        (_set(True, "Healthy", "Missing"), ("Progressing", "app-1 is Missing")),
        (_set(True, "Healthy", None), ("Progressing", "app-1 is Unknown")),
        (_set(True, "Progressing", "Degraded"), ("Degraded", "app-1 is degraded")),
        (_set(False, "Healthy"), ("Progressing", "Waiting for its Applications to be made")),
        (_set(None), ("Progressing", "Waiting for its Applications to be made")),
        (_set(True, "Healthy", error=True), ("Degraded", "no such file")),
        (_NEW, ("Progressing", "Waiting for its Applications to be made")),
    ],
)
def test_an_application_set_is_healthy_when_its_applications_are(
    application_set: Manifest, health: tuple[str, str]
) -> None:
    assert _health(application_set) == health


@pytest.mark.timeout(_BUILDING_SECONDS)
def test_argo_cd_can_tell_the_health_of_everything_that_has_one() -> None:
    checks = _argo_cd().glob("resource_customizations/*/*/health.lua")
    builtin = {(path.parent.parent.name, path.parent.name) for path in checks}
    used = {kind_of(each) for environment in ENVIRONMENTS for _, each in all_renderings(environment)}
    custom = {each for each in used if each[0] and (custom_schemas(DEFINITIONS) / each[0]).is_dir()}
    own = {tuple(name.split("_")) for name in _own_checks()}
    assert custom - _WITHOUT_HEALTH <= builtin | own
    assert custom >= _WITHOUT_HEALTH, "some are no longer used"
    assert {("external-secrets.io", "ExternalSecret"), ("keda.sh", "ScaledObject")} <= custom


def _argo_cd() -> Path:
    module = next(each for each in DEFINITIONS if each.version == ARGO_CD)
    answer = run([go(), "mod", "download", "-json", f"{module.module}@{module.version}"])
    return Path(json.loads(answer)["Dir"])
