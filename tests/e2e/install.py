"""Prepares an installed cluster for the cases: the driver's job kinds, the table of their effects, and the URLs."""

import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import yaml
from kubernetes.client import ApiException

from taskhub_local.errors import LocalError
from taskhub_local.faults.kinds import CREATE_EFFECTS, MODULE
from tests.e2e.helm import Helm
from tests.e2e.kube import APPS, BACKING, Kube, asked
from tests.e2e.reach import POSTGRES_PORT, ClusterReach, from_outside

APP_SECRET = "taskhub-secrets"  # the Secret's name
_BACKING_SECRET = "backing-secrets"
_CONFIG_MAP = "fault-kinds"
_MOUNT = "/opt/fault-kinds"
_LIST_MODULES = f"import sys, {MODULE}; print(*(name for name in sys.modules if name.split('.')[0] == 'taskhub_local'))"


def reach_of(kube: Kube) -> ClusterReach:
    """Return the addresses at which the driver finds the cluster."""
    return ClusterReach(from_outside(kube.secret(APP_SECRET)["TASKHUB_DATABASE_URL"], POSTGRES_PORT))


def superuser_url(kube: Kube) -> str:
    """Return the URL of PostgreSQL's superuser, who makes and drops roles."""
    parts = urlsplit(reach_of(kube).database_url)
    password = kube.secret(_BACKING_SECRET, BACKING)["POSTGRES_PASSWORD"]
    return urlunsplit(parts._replace(netloc=f"postgres:{password}@{parts.hostname}:{parts.port}"))


def prepare(kube: Kube, helm: Helm, folder: Path) -> None:
    """Give the apps the driver's job kinds, by a volume, as anybody's own kinds may come. Idempotent."""
    with psycopg.connect(reach_of(kube).database_url) as session:
        session.execute(CREATE_EFFECTS)
    write_config_map(kube, kinds_in(APPS))
    folder.mkdir(parents=True, exist_ok=True)
    for release, values in values_with_kinds().items():
        path = folder / f"{release}-values.yaml"
        path.write_text(yaml.safe_dump(values))
        helm.upgrade(release, "--values", str(path), "--no-hooks")


def kinds_in(namespace: str) -> dict[str, Any]:
    """The ConfigMap with the driver's kinds, which the values of values_with_kinds mount."""
    return config_map(_CONFIG_MAP, {_key(path): content for path, content in driver_files().items()}, namespace)


def values_with_kinds() -> dict[str, dict[str, Any]]:
    """Return the values that give the driver's kinds to each release that knows kinds."""
    return {"api": _values(("",)), "worker": _values(("worker", "dispatcher"))}


def extra_pod_values() -> dict[str, Any]:
    """Return the values of a pod that has the driver's kinds."""
    return {
        "extraEnv": [{"name": "PYTHONPATH", "value": _MOUNT}],
        "extraVolumes": [{"name": _CONFIG_MAP, "configMap": {"name": _CONFIG_MAP, "items": _items()}}],
        "extraVolumeMounts": [{"name": _CONFIG_MAP, "mountPath": _MOUNT, "readOnly": True}],
    }


def _values(parts: tuple[str, ...]) -> dict[str, Any]:
    pod = extra_pod_values()
    values: dict[str, Any] = {"config": {"TASKHUB_JOB_KIND_MODULES": f'["{MODULE}"]'}}
    for part in parts:
        values |= {part: pod} if part else pod
    return values


def _items() -> list[dict[str, str]]:
    return [{"key": _key(path), "path": path} for path in driver_files()]


def _key(path: str) -> str:
    return path.replace("/", "-")


def driver_files() -> dict[str, str]:
    """The kinds' module and what it imports of the driver: the content of each file, by its path."""
    result = subprocess.run([sys.executable, "-c", _LIST_MODULES], capture_output=True, text=True, check=True)
    files: dict[str, str] = {}
    for name in sorted(result.stdout.split()):
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise LocalError(f"{name} has no source file")
        source = Path(spec.origin)
        inside = (
            f"{name.replace('.', '/')}/__init__.py" if source.name == "__init__.py" else f"{name.replace('.', '/')}.py"
        )
        files[inside] = source.read_text()
    return files


def config_map(name: str, data: Mapping[str, str], namespace: str = APPS) -> dict[str, Any]:
    """A ConfigMap, as the API server is given it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": dict(data),
    }


def write_config_map(kube: Kube, body: dict[str, Any]) -> None:
    """Make a ConfigMap, or give one that is there this content."""
    name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
    try:
        kube.core.create_namespaced_config_map(namespace, body)
    except ApiException as error:
        if error.status != 409:
            raise LocalError(f"Kubernetes answers {error.status} {error.reason}") from error
        asked(kube.core.replace_namespaced_config_map)(name, namespace, body)
