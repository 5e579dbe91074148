"""Installs the charts into a cluster with Helm, in the order in which they need each other."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.cluster.kube import Kubectl
from tests.e2e.cluster.paths import ROOT, cache
from tests.e2e.cluster.progress import elapsed, say
from tests.e2e.cluster.secrets import APPS, BACKING, PASSWORDS
from tests.e2e.cluster.shell import run
from tests.e2e.cluster.tools import tool

_CHARTS = ROOT / "charts"
_TIMEOUT = "300s"


@dataclass(frozen=True)
class Release:
    """A chart under charts/ and the namespace that it is installed into, under the chart's name."""

    name: str
    namespace: str
    image: str

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
RELEASES = (_BACKING_RELEASE, _FIRST, *_REST)


def install(kubectl: Kubectl, tags: Mapping[str, str], repository: str = "") -> None:
    """Install or upgrade every release, and wait until all of it is ready.

    `repository` goes before the images' names, with a slash between. Raises ClusterError with what Helm said.
    """
    # Helm waits within each release; the next one starts when the one it needs is ready.
    _install(kubectl, _BACKING_RELEASE, tags, repository)
    _install(kubectl, _FIRST, tags, repository)
    with ThreadPoolExecutor(max_workers=len(_REST)) as pool:
        list(pool.map(lambda release: _install(kubectl, release, tags, repository), _REST))


def _install(kubectl: Kubectl, release: Release, tags: Mapping[str, str], repository: str) -> None:
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
    run(command, log=log, timeout_seconds=600)
    say(f"helm: {release.name} took {elapsed() - started:.0f} s")


def _own_values(release: Release, tags: Mapping[str, str], repository: str) -> dict[str, str]:
    image, tag = tags[release.image].rsplit(":", 1)
    if repository:
        image = f"{repository.rstrip('/')}/{image}"
    if release is _BACKING_RELEASE:
        return {"sink.image": f"{image}:{tag}", "postgres.existingSecret": PASSWORDS}
    return {"image.repository": image, "image.tag": tag}
