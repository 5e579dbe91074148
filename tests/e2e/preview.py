"""A second environment on the same cluster, for the cases of Argo CD: its namespace, its database, and its cluster."""

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import yaml
from psycopg import sql

from taskhub_local.errors import LocalError
from tests.e2e.argo import ENVIRONMENT
from tests.e2e.cluster import gitops
from tests.e2e.cluster.kube import Kubectl
from tests.e2e.cluster.secrets import authority_in
from tests.e2e.cluster.shell import ClusterError
from tests.e2e.install import APP_SECRET, kinds_in, superuser_url
from tests.e2e.kube import BACKING, Kube
from tests.e2e.repository import set_values

NAME = "preview"
FOLDER = Path("argocd/envs") / NAME
_KIND = "kind"
# The cluster itself, by another address: Argo CD knows two clusters, each of its own environment.
_SERVER = "https://kubernetes.default.svc.cluster.local"
_ACCOUNT = "argocd-application-controller"
_SETS = Path("argocd/apps/taskhub.yaml")
_PROJECT = "argocd/bootstrap/projects/taskhub-{}.yaml"
# One pod of the API, a dispatcher (without one the chart is refused), and nothing that would take what belongs to the
# first environment from queue and index.
_NONE = {"replicas": 0}
VALUES: Mapping[str, Mapping[str, Any]] = {
    "api": {
        "replicas": 1,
        "autoscaling": {"enabled": False},
        "ingress": {"enabled": False},
        "search": {"url": ""},
        "resources": {"requests": {"cpu": "20m"}},
    },
    "worker": {"worker": _NONE, "dispatcher": {"replicas": 1}, "search": {"url": ""}},
    "sqs-consumer": {**_NONE, "reconciler": {"enabled": False}, "search": {"url": ""}},
}
"""Of each chart, beside the first environment's."""


def prepare(kube: Kube) -> None:
    """Make what an environment finds there: namespace, Secret, database, the way to it, and its cluster's Secret.

    Raises LocalError.
    """
    try:
        _prepare(kube)
    except (ClusterError, psycopg.Error) as error:
        raise LocalError(str(error)) from error


def _prepare(kube: Kube) -> None:
    kubectl = Kubectl(kube.kubeconfig)
    secret = kube.secret(APP_SECRET)
    secret |= {
        "TASKHUB_DATABASE_URL": _other(secret["TASKHUB_DATABASE_URL"], NAME),
        "TASKHUB_REDIS_URL": _other(secret["TASKHUB_REDIS_URL"], "2"),
        "TASKHUB_CACHE_URL": _other(secret["TASKHUB_CACHE_URL"], "3"),
    }
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubectl.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": labels}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": _named(APP_SECRET, NAME), "stringData": secret},
        *config_maps(),
        _way_to_backing(),
        _cluster(kubectl),
    )
    owner = urlsplit(secret["TASKHUB_DATABASE_URL"]).username or ""
    _run_sql(kube, "DROP DATABASE IF EXISTS {name} WITH (FORCE)", "CREATE DATABASE {name} OWNER {owner}", owner=owner)


def config_maps() -> list[dict[str, Any]]:
    """What its pods mount: the certificate of who signs the servers', and the driver's kinds."""
    return [authority_in(NAME), kinds_in(NAME)]


def remove(kube: Kube) -> None:
    """Take all of that away, with what Argo CD has brought there. Raises LocalError."""
    kubectl = Kubectl(kube.kubeconfig)
    try:
        for namespace, what in (
            (gitops.NAMESPACE, f"application/{NAME}-taskhub"),
            (gitops.NAMESPACE, f"secret/{NAME}"),
            (BACKING, f"networkpolicy/from-{NAME}"),
            ("", f"namespace/{NAME}"),
        ):
            kubectl("--namespace", namespace, "delete", "--ignore-not-found", what)
        _run_sql(kube, "DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    except (ClusterError, psycopg.Error) as error:
        raise LocalError(str(error)) from error


def describe(folder: Path) -> None:
    """Add the environment's values and project to a clone of the repository."""
    for name, values in VALUES.items():
        path = folder / FOLDER / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text((folder / ENVIRONMENT / f"{name}.yaml").read_text())
        set_values(path, values)
    project = yaml.safe_load((folder / _PROJECT.format(_KIND)).read_text())
    project["metadata"]["name"] = f"taskhub-{NAME}"
    project["spec"]["destinations"] = [{"server": _SERVER, "namespace": NAME}]
    (folder / _PROJECT.format(NAME)).write_text(yaml.safe_dump(project, sort_keys=False))


def run(folder: Path, *, revision: str) -> None:
    """Let the environment run a revision, as staging and production run one. The first time adds its Application."""
    version = folder / FOLDER / "version.yaml"
    is_new = not version.exists()
    version.write_text((folder / ENVIRONMENT / "version.yaml").read_text())
    set_values(version, {"revision": revision})
    if not is_new:
        return
    found = yaml.safe_load((folder / _SETS).read_text())
    _add_to(found["spec"])
    (folder / _SETS).write_text(yaml.safe_dump(found, sort_keys=False))


def _add_to(spec: dict[str, Any]) -> None:
    """Give the ApplicationSet one generator more, and each environment a namespace of its own."""
    first = spec["generators"][0]
    second = json.loads(json.dumps(deepcopy(first)).replace(f'"{_KIND}"', f'"{NAME}"').replace("/kind/", f"/{NAME}/"))
    spec["generators"].append(second)
    by_environment = f'{{{{if eq .values.environment "{NAME}"}}}}{NAME}{{{{else}}}}taskhub{{{{end}}}}'
    spec["template"]["spec"]["destination"]["namespace"] = by_environment


def _way_to_backing() -> dict[str, Any]:
    """The backing services let in the first environment's namespace alone."""
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAME}}}
    ports = [{"port": 5432}, {"port": 6379}, {"port": 9324}]
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer], "ports": ports}]}
    metadata = _named(f"from-{NAME}", BACKING)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _cluster(kubectl: Kubectl) -> dict[str, Any]:
    """The Secret by which Argo CD knows the cluster of this environment, with a token that lasts for the case."""
    token = kubectl("--namespace", gitops.NAMESPACE, "create", "token", _ACCOUNT, "--duration=2h").strip()
    settings = kubectl.json("config", "view", "--raw")
    authority = settings["clusters"][0]["cluster"]["certificate-authority-data"]
    access = {"bearerToken": token, "tlsClientConfig": {"insecure": False, "caData": authority}}
    labels = {"argocd.argoproj.io/secret-type": "cluster", "environment": NAME}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**_named(NAME, gitops.NAMESPACE), "labels": labels},
        "stringData": {"name": NAME, "server": _SERVER, "config": json.dumps(access)},
    }


def _named(name: str, namespace: str) -> dict[str, Any]:
    return {"name": name, "namespace": namespace}


def _other(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


def _run_sql(kube: Kube, *commands: str, owner: str = "") -> None:
    names = {"name": sql.Identifier(NAME), "owner": sql.Identifier(owner)}
    with psycopg.connect(superuser_url(kube), autocommit=True, dbname="postgres") as session:
        for command in commands:
            session.execute(sql.SQL(command).format(**names))
