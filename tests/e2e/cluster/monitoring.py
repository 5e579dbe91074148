"""What watches the kind cluster: two Prometheus and two Alertmanagers, exporters, collectors of logs and traces."""

from pathlib import Path

from tests.e2e.cluster import golang, releases, secrets
from tests.e2e.cluster.kube import Kubectl
from tests.e2e.cluster.paths import HERE
from tests.e2e.cluster.progress import elapsed, say
from tests.e2e.cluster.shell import ClusterError

URLS = "http://127.0.0.1:19090 and 19091 (Prometheus), 19093 and 19094 (Alertmanager), 18027/pages (what has paged)"
_MANIFESTS = HERE / "manifests" / "monitoring"
_OPERATOR = "prometheus-operator"
_DEPLOYMENTS = (
    _OPERATOR, "postgres-exporter", "redis-exporter", "elasticsearch-exporter", "blackbox-exporter",
    "kube-state-metrics", "trace-collector",
)  # fmt: skip
_SERVERS = ("prometheus/taskhub", "alertmanager/taskhub")
_SECONDS = 240


def begin(kubectl: Kubectl) -> None:
    """Make everything, and wait for nothing: it starts while the apps are installed, whose monitors need its kinds.

    Raises ClusterError.
    """
    say("monitoring: Prometheus Operator, Prometheus, Alertmanager, exporters, collectors")
    for path in _definitions():
        kubectl.apply_file(path)
    kubectl("wait", "--for=condition=Established", "--timeout=60s", *(f"--filename={path}" for path in _definitions()))
    secrets.write_for_monitoring(kubectl)
    for path in sorted(_MANIFESTS.glob("*.yaml")):
        kubectl.apply_file(path)


def finish(kubectl: Kubectl) -> None:
    """Bring the rules and the routes, and wait until everything is ready. Raises ClusterError, which shows the pods."""
    started = elapsed()
    releases.install_observability(kubectl)
    try:
        for name in _DEPLOYMENTS:
            kubectl.until_rolled_out(f"deployment/{name}", secrets.MONITORING, seconds=_SECONDS)
        kubectl.until_rolled_out("daemonset/log-collector", "logging", seconds=_SECONDS)
        for name in _SERVERS:
            _ask(kubectl, "wait", "--for=condition=Available", name, f"--timeout={_SECONDS}s")
    except ClusterError as error:
        pods = _ask(kubectl, "get", "pods", "--output=wide")
        raise ClusterError(f"monitoring does not start: {error}\nThe pods of {secrets.MONITORING}:\n{pods}") from error
    say(f"monitoring took {elapsed() - started:.0f} s more")


def _definitions() -> list[Path]:
    """The definitions of the operator's kinds, from its own module."""
    folder = golang.find_source(_OPERATOR) / "example" / "prometheus-operator-crd"
    return sorted(folder.glob("*.yaml"))


def _ask(kubectl: Kubectl, *arguments: str) -> str:
    return kubectl("--namespace", secrets.MONITORING, *arguments, seconds=_SECONDS + 20)
