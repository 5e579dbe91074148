"""What the command does: up, down, status, images."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.e2e.cluster import apps, catalog, engine, gitops, images, kind_cluster, monitoring, releases, secrets
from tests.e2e.cluster.kube import Kubectl
from tests.e2e.cluster.paths import HERE, KUBECONFIG
from tests.e2e.cluster.progress import elapsed, say
from tests.e2e.cluster.shell import ClusterError

URL = "https://taskhub.localhost:18443"
_MANIFESTS = HERE / "manifests"
_PLATFORM = {
    "deployment/metrics-server": "kube-system",
    "daemonset/kube-network-policies": "kube-system",
    "deployment/traefik": "ingress",
}


def up(
    *,
    only_platform: bool = False,
    from_packages: bool = False,
    watched: bool = False,
    traced: bool = False,
    synced: bool = False,
) -> None:
    """Bring the cluster up with everything in it; what is there already is reused. Raises ClusterError.

    `watched`: with Prometheus, Alertmanager, exporters and collectors. `traced`: so, and the apps trace, which costs a
    machine of two cores dearly when they start. `synced`: with Argo CD, which goes where it is not wanted.
    """
    watched |= traced
    images.ensure_images(from_packages=from_packages)
    if watched:
        images.ensure_monitoring_images(from_packages=from_packages)
    if synced:
        images.ensure_gitops_images(from_packages=from_packages)
    tags = {} if only_platform else apps.ensure()
    kubectl = kind_cluster.ensure_cluster()
    gitops.remove(kubectl)
    if not kind_cluster.is_stand_in():
        kind_cluster.load(*catalog.PLATFORM, *catalog.BACKING)
    _apply_platform(kubectl)
    secrets.write(kubectl)
    if tags:
        if watched:
            kind_cluster.load(*catalog.MONITORING)
            monitoring.begin(kubectl)
        _install(kubectl, tags, traced=traced)
        if watched:
            monitoring.finish(kubectl)
    if synced:
        kind_cluster.load(*catalog.GITOPS, onto=[kind_cluster.CONTROL_PLANE])
        gitops.install(kubectl)
    _wait_for_platform(kubectl)
    say(f"up after {elapsed():.0f} s. The API: {URL} (signed by {secrets.AUTHORITY})")
    if watched:
        say(f"what watches it: {monitoring.URLS}")
    say(f"look around with: export KUBECONFIG={KUBECONFIG}")


def up_elsewhere(kubeconfig: Path, repository: str) -> None:
    """Install the charts into an existing cluster, which has an ingress controller, metrics and a storage class.

    The images are built here and pushed to `repository`, from where that cluster's nodes pull. Raises ClusterError.
    """
    if not repository:
        raise ClusterError(
            "an existing cluster pulls the images from a registry: say which, with IMAGE_REPOSITORY=<host>/<path>"
        )
    engine.ensure_engine()
    tags = apps.ensure()
    for tag in tags.values():
        target = f"{repository.rstrip('/')}/{tag}"
        say(f"pushing {target}")
        engine.docker("tag", tag, target)
        engine.docker("push", "--quiet", target)
    kubectl = Kubectl(kubeconfig)
    kubectl.apply_file(_MANIFESTS / "namespaces.yaml")
    secrets.write(kubectl)
    releases.install_backing(kubectl, tags, repository)
    releases.install_apps(kubectl, tags, repository)
    say(f"installed after {elapsed():.0f} s")


def down(*, with_engine: bool = False) -> None:
    """Remove the cluster. The cache stays, and so does the engine unless `with_engine`, if it was started here."""
    if not engine.answers() or not kind_cluster.nodes():
        say("there is no cluster")
    else:
        kind_cluster.remove()
        say("the cluster is gone; what was built for it stays in the cache")
    if with_engine:
        engine.stop()


def status() -> None:
    """Say what runs. Raises ClusterError if there is no cluster."""
    if not engine.answers() or not kind_cluster.nodes():
        raise ClusterError("there is no cluster; make one with: make cluster")
    kubectl = Kubectl(KUBECONFIG)
    say("nodes\n" + kubectl("get", "nodes", "--output", "wide"))
    for namespace in ("taskhub", "taskhub-backing", "ingress", "monitoring", "logging", "kube-system"):
        say(f"pods in {namespace}\n" + kubectl("--namespace", namespace, "get", "pods", "--output", "wide"))
    say(f"the API: {URL}; kubeconfig: {KUBECONFIG}")


def build_images(*, from_packages: bool = False) -> None:
    """Get or build every image and tool, and the applications' images."""
    images.ensure_images(from_packages=from_packages)
    for tag in apps.ensure().values():
        size = engine.docker("image", "inspect", "--format", "{{.Size}}", tag).strip()
        say(f"{tag} ({int(size) / 1e6:.0f} MB)")


def _install(kubectl: Kubectl, tags: Mapping[str, str], *, traced: bool) -> None:
    """Load our images and install the charts; the backing services start while the apps' images are loaded."""
    say("loading our images into the nodes")
    kind_cluster.load(tags[apps.SINK.name], onto=[kind_cluster.CONTROL_PLANE])
    others = [tag for name, tag in tags.items() if name != apps.SINK.name]
    with ThreadPoolExecutor(max_workers=1) as pool:
        loading = pool.submit(kind_cluster.load, *others, onto=kind_cluster.WORKERS)
        releases.install_backing(kubectl, tags)
        loading.result()
    releases.install_apps(kubectl, tags, traced=traced)


def _apply_platform(kubectl: Kubectl) -> None:
    say("namespaces, metrics-server, network policies, ingress controller")
    for path in sorted(_MANIFESTS.glob("*.yaml"), key=lambda path: (path.name != "namespaces.yaml", path.name)):
        # kindnetd, which upstream's node image has, enforces network policies itself.
        if path.name == "network-policies.yaml" and not kind_cluster.is_stand_in():
            continue
        kubectl.apply_file(path)


def _wait_for_platform(kubectl: Kubectl) -> None:
    for name, namespace in _PLATFORM.items():
        if name == "daemonset/kube-network-policies" and not kind_cluster.is_stand_in():
            continue
        kubectl.until_rolled_out(name, namespace, seconds=180)
