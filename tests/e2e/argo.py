"""Argo CD as the cases see it: what is to be synced, how far that is, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.client import ApiException

from taskhub_local.errors import LocalError
from tests.e2e.cluster import gitops
from tests.e2e.cluster.kube import Kubectl
from tests.e2e.cluster.shell import ClusterError
from tests.e2e.install import values_with_kinds
from tests.e2e.kube import APPS, BACKING, Kube, asked
from tests.e2e.repository import FOLDER, Repository, set_values

TASKHUB = "kind-taskhub"
ROOT = "kind-root"
ENVIRONMENT = Path("argocd/envs/kind")
VERSION = ENVIRONMENT / "version.yaml"
_APPS = ("api", "worker", "sqs-consumer")
_APPLICATIONS = (ROOT, "kind-backing", TASKHUB)
_API = {"group": "argoproj.io", "version": "v1alpha1", "namespace": gitops.NAMESPACE}
_TIMEOUT_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Application:
    """One Application, as it says it is."""

    found: Mapping[str, Any]

    @property
    def health(self) -> str:
        """Healthy, Progressing, Degraded, ..."""
        return str(self._status.get("health", {}).get("status", "Unknown"))

    @property
    def sync(self) -> str:
        """Synced or OutOfSync."""
        return str(self._status.get("sync", {}).get("status", "Unknown"))

    @property
    def commits(self) -> set[str]:
        """What it was compared with last."""
        sync = self._status.get("sync", {})
        return set(sync.get("revisions") or [sync.get("revision", "")])

    @property
    def operation(self) -> Mapping[str, Any]:
        """The last sync, or the one that runs."""
        operation: Mapping[str, Any] = self._status.get("operationState", {})
        return operation

    @property
    def phase(self) -> str:
        """How that sync goes: Running, Succeeded, Failed, ..."""
        return str(self.operation.get("phase", ""))

    @property
    def reconciled_at(self) -> str:
        """When it was last compared."""
        return str(self._status.get("reconciledAt", ""))

    @property
    def is_up_to_date(self) -> bool:
        """Whether its last comparison was with the sources that it has now."""
        compared = self._status.get("sync", {}).get("comparedTo", {}).get("sources")
        return bool(compared == self.found["spec"]["sources"])

    def has(self, commit: str) -> bool:
        """Whether everything is as that commit says, however well it runs; the sync may still wait for that."""
        return self.sync == "Synced" and self.commits == {commit} and self.is_up_to_date

    def runs(self, commit: str) -> bool:
        """Whether that commit is what runs, and runs well."""
        # What runs as it should when Argo CD first looks is never synced.
        return self.has(commit) and self.health == "Healthy" and self.phase in ("Succeeded", "")

    def __str__(self) -> str:
        commits = ", ".join(sorted(commit[:8] for commit in self.commits))
        said = str(self.operation.get("message", ""))
        return f"{self.sync} with {commits}, {self.health}, last sync {self.phase or 'none'} ({said})"

    @property
    def _status(self) -> Mapping[str, Any]:
        status: Mapping[str, Any] = self.found.get("status", {})
        return status


class Argo:
    """Argo CD in one cluster, and the repository that it reads. Raises LocalError."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._kubectl = Kubectl(kube.kubeconfig)
        self.repository = Repository(kube.kubeconfig)

    def begin(self) -> str:
        """Hand the environment over to Argo CD: push what runs here already, and apply the bootstrap.

        Returns the commit.
        """
        commit = self.repository.commit("What runs on this cluster", self._describe_this_cluster)
        bootstrap = FOLDER / "argocd" / "bootstrap"
        try:
            for path in (*sorted((bootstrap / "projects").glob("*.yaml")), bootstrap / "kind.yaml"):
                self._kubectl.apply_file(path)
        except ClusterError as error:
            raise LocalError(str(error)) from error
        return commit

    def let_go(self) -> None:
        """Take the Applications away and leave alone what they have made."""
        # Each would make the next again: the root the ApplicationSets, and they the Applications.
        for what in ((f"application/{ROOT}",), ("applicationsets.argoproj.io", "--all"), ("applications", "--all")):
            self._kubectl("--namespace", gitops.NAMESPACE, "delete", "--ignore-not-found", *what, seconds=150)

    def application(self, name: str = TASKHUB) -> Application:
        """Return an Application as it is now."""
        found = asked(self._kube.custom.get_namespaced_custom_object)(
            **_API, plural="applications", name=name, _request_timeout=_TIMEOUT_SECONDS
        )
        return Application(found)

    def all_run(self, commit: str) -> bool:
        """Whether every Application of this environment runs that commit, and well."""
        return all(self.application(name).runs(commit) for name in _APPLICATIONS)

    def states(self) -> str:
        """Return what every Application of this environment says of itself."""
        return "; ".join(f"{name}: {self.application(name)}" for name in _APPLICATIONS)

    def pods(self) -> list[Any]:
        """Return the pods of Argo CD itself, without the Git server's."""
        found = asked(self._kube.core.list_namespaced_pod)(gitops.NAMESPACE, _request_timeout=_TIMEOUT_SECONDS).items
        return [pod for pod in found if pod.metadata.labels["app.kubernetes.io/name"] != "git"]

    def _describe_this_cluster(self, folder: Path) -> None:
        """Write what the charts were installed with into the environment: the images' tags, the driver's job kinds."""
        images = {name: self._tag(name) for name in _APPS} | {"sink": self._tag("sink", BACKING)}
        set_values(folder / VERSION, {"images": images})
        for release, values in values_with_kinds().items():
            set_values(folder / ENVIRONMENT / f"{release}.yaml", values)

    def _tag(self, name: str, namespace: str = APPS) -> str:
        image: str = self._kube.a_pod(name, namespace).spec.containers[0].image
        return image.rpartition(":")[2]


def is_installed(kube: Kube) -> bool:
    """Whether there is an Argo CD whose repository a test may push to."""
    try:
        kube.apps.read_namespaced_deployment("git", gitops.NAMESPACE, _request_timeout=_TIMEOUT_SECONDS)
    except ApiException as error:
        if error.status == 404:
            return False
        raise LocalError(f"Kubernetes answers {error.status} {error.reason}") from error
    return True
