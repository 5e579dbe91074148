"""Installs the charts into a cluster with Helm, in the order in which they need each other."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.cluster.kube import Kubectl
from tests.e2e.cluster.paths import ROOT, cache
from tests.e2e.cluster.progress import elapsed, say
from tests.e2e.cluster.secrets import APPS, BACKING, MONITORING, PASSWORDS
from tests.e2e.cluster.shell import ClusterError, run
from tests.e2e.cluster.tools import tool

_CHARTS = ROOT / "charts"
_TIMEOUT = "300s"
_TRACING = (
    "--set", f"telemetry.otelEndpoint=http://trace-collector.{MONITORING}:4318",
    "--set-json", "telemetry.traceRatio=0.05",
)  # fmt: skip


@dataclass(frozen=True)
class Release:
    """A chart under charts/ and the namespace that it is installed into, under the chart's name."""

    name: str
    namespace: str
    image: str = ""  # of this repository, if it runs one

    @property
    def chart(self) -> Path:
        """The chart's folder."""
        return _CHARTS / self.name

    @property
    def values(self) -> Path:
        """The values for the kind cluster."""
        return self.chart / "ci" / "kind-values.yaml"


_BACKING_RELEASE = Release("backing", BACKING, "taskhub-sink")
# The API's chart migrates the database first; the other two wait for the schema.
_FIRST = Release("api", APPS, "taskhub-api")
_REST = (Release("worker", APPS, "taskhub-worker"), Release("sqs-consumer", APPS, "taskhub-sqs-consumer"))
_OBSERVABILITY = Release("observability", MONITORING)
RELEASES = (_BACKING_RELEASE, _FIRST, *_REST, _OBSERVABILITY)


def install_backing(kubectl: Kubectl, tags: Mapping[str, str], repository: str = "") -> None:
    """Install or upgrade what the apps need, and wait until it is ready.

    `repository` goes before the images' names, with a slash between. Raises ClusterError with what Helm said.
    """
    _install(kubectl, _BACKING_RELEASE, tags, repository)


def install_apps(kubectl: Kubectl, tags: Mapping[str, str], repository: str = "", *, traced: bool = False) -> None:
    """Install or upgrade the apps in the order in which they need each other, and wait until they are ready.

    `traced`: they send their spans to the trace collector, which must be there. Raises ClusterError.
    """
    options = _TRACING if traced else ()
    _install(kubectl, _FIRST, tags, repository, options)
    with ThreadPoolExecutor(max_workers=len(_REST)) as pool:
        list(pool.map(lambda release: _install(kubectl, release, tags, repository, options), _REST))


def install_observability(kubectl: Kubectl) -> None:
    """Install or upgrade the rules, the routes, the dashboards and the receiver of alerts.

    Raises ClusterError with what Helm said.
    """
    _install(kubectl, _OBSERVABILITY, {}, "")


def _install(
    kubectl: Kubectl, release: Release, tags: Mapping[str, str], repository: str, options: Sequence[str] = ()
) -> None:
    started = elapsed()
    say(f"helm: {release.name} ...")
    log = cache() / "logs" / f"helm-{release.name}.log"
    log.unlink(missing_ok=True)
    helm: list[str | Path] = [tool("helm"), "--kubeconfig", kubectl.kubeconfig]
    if "\ndependencies:" in (release.chart / "Chart.yaml").read_text():
        run([*helm, "dependency", "build", release.chart], log=log)
    command: list[str | Path] = [*helm, "upgrade", "--install", release.name, release.chart]
    command += ["--namespace", release.namespace, "--values", release.values]
    command += ["--wait", "--wait-for-jobs", "--timeout", _TIMEOUT]
    for key, value in _own_values(release, tags, repository).items():
        # As strings: twelve hexadecimal digits may look like a number.
        command += ["--set-string", f"{key}={value}"]
    if release.namespace == APPS and _has_prometheus_operator(kubectl):
        command += ["--set", "monitoring.serviceMonitor.enabled=true"]
    command += options
    free(helm, release.name, release.namespace)
    try:
        run(command, log=log, timeout_seconds=600)
    except ClusterError as error:
        pods = kubectl("--namespace", release.namespace, "get", "pods")
        raise ClusterError(f"{error}\nThe pods of {release.namespace}:\n{pods}") from error
    say(f"helm: {release.name} took {elapsed() - started:.0f} s")


def free(helm: Sequence[str | Path], name: str, namespace: str) -> None:
    """Undo what an interrupted Helm left half done: Helm itself would refuse to go on for ever."""
    command = [*helm, "list", "--all", "--namespace", namespace, "--filter", f"^{name}$", "--output", "json"]
    found = json.loads(run(command))
    status = found[0]["status"] if found else ""
    if status in ("pending-upgrade", "pending-rollback"):
        say(f"helm: {name} was interrupted; back to the revision before")
        run([*helm, "rollback", name, "--namespace", namespace])
    elif status in ("pending-install", "uninstalling"):
        say(f"helm: {name} was interrupted; it is installed anew")
        run([*helm, "uninstall", name, "--namespace", namespace, "--no-hooks", "--wait"])


def _has_prometheus_operator(kubectl: Kubectl) -> bool:
    kind = "servicemonitors.monitoring.coreos.com"
    return bool(kubectl("get", "customresourcedefinitions", kind, "--ignore-not-found", "--output=name").strip())


def _own_values(release: Release, tags: Mapping[str, str], repository: str) -> dict[str, str]:
    if not release.image:
        return {}
    image, tag = tags[release.image].rsplit(":", 1)
    if repository:
        image = f"{repository.rstrip('/')}/{image}"
    if release is _BACKING_RELEASE:
        return {"sink.image": f"{image}:{tag}", "postgres.existingSecret": PASSWORDS}
    return {"image.repository": image, "image.tag": tag}
