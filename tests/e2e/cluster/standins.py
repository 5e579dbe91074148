"""Builds images from packages under their upstream names, for machines that reach no container registry."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from taskhub_local.elasticsearch.distribution import ensure_distribution
from tests.e2e.cluster import catalog, debian, engine, golang, maven, versions
from tests.e2e.cluster.debian import KEY_LABEL
from tests.e2e.cluster.paths import HERE, cache
from tests.e2e.cluster.shell import ClusterError

_HOST_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class StandIn:
    """An image that is built here: its upstream tag, its Dockerfile's folder and what is laid beside the Dockerfile."""

    tag: str
    folder: str
    base: str = ""  # the tag that it is FROM, if that is built here too
    programs: tuple[str, ...] = ()  # built from Go modules; copied into the context
    files: Mapping[str, Callable[[], Path]] = field(default_factory=dict)  # name in the context -> a file or folder
    arguments: tuple[str, ...] = ()  # for --build-arg
    versions: tuple[str, ...] = ()  # of what `files` brings
    seconds: float = 30

    @property
    def key(self) -> str:
        """A hash of what decides the image's content."""
        digest = hashlib.sha256(repr((self.tag, self.arguments, self.versions, self.base_key)).encode())
        source = HERE / "standins" / self.folder
        for path in sorted(source.rglob("*")):
            if path.is_file():
                digest.update(
                    f"{path.relative_to(source)} {path.stat().st_mode & 0o111}\0".encode() + path.read_bytes()
                )
        for name in self.programs:
            digest.update(golang.program(name).artefact.key.encode())
        return digest.hexdigest()[:12]

    @property
    def base_key(self) -> str:
        """The key of the image that this one is built on."""
        if self.base.startswith("debian:"):
            return debian.key(debian_suite(self.base))
        return stand_in(self.base).key if self.base else ""

    @property
    def log(self) -> Path:
        """Where the output of building it goes."""
        return cache() / "logs" / f"image-{self.folder}.log"


def debian_suite(tag: str) -> str:
    """The suite of a Debian base image's tag: trixie of debian:trixie-slim."""
    return tag.removeprefix("debian:").removesuffix("-slim")


def _certificates() -> Path:
    if not _HOST_CERTIFICATES.exists():
        raise ClusterError("please install ca-certificates: Traefik's image takes the host's list of authorities")
    return _HOST_CERTIFICATES


def _kind_files() -> Path:
    return golang.find_source("kind") / "images" / "base" / "files"


def _argocd_scripts() -> Path:
    return golang.find_source("argocd") / "hack"


def _packaged(tag: str, package: str) -> StandIn:
    """A program of Prometheus' family as Debian packages it: the tag is upstream's, and so is its version."""
    arguments = (f"PACKAGE={package}", f"VERSION={tag.rsplit(':v', 1)[1]}")
    return StandIn(tag, "prometheus", _TRIXIE, arguments=arguments, seconds=20)


_TRIXIE, _BOOKWORM, _JAVA = "debian:trixie-slim", "debian:bookworm-slim", "taskhub.local/java:21"
DEBIAN = (_TRIXIE, _BOOKWORM)

# What the applications' images and the cluster's pods are built from or run.
STAND_INS = (
    StandIn("python:3.13-slim-trixie", "python", _TRIXIE),
    StandIn("postgres:17", "postgres", _TRIXIE),
    StandIn("redis:8", "redis", _TRIXIE, seconds=15),
    StandIn(_JAVA, "java", _TRIXIE),
    StandIn(
        f"softwaremill/elasticmq:{versions.ELASTICMQ}", "elasticmq", _JAVA,
        files={"jars": maven.elasticmq_jars}, versions=(versions.ELASTICMQ,), seconds=60,
    ),
    StandIn(
        f"docker.elastic.co/elasticsearch/elasticsearch:{versions.ELASTICSEARCH}", "elasticsearch", _JAVA,
        files={"distribution": ensure_distribution}, versions=(versions.ELASTICSEARCH,), seconds=60,
    ),
    StandIn(
        f"traefik:{versions.TRAEFIK}", "traefik", programs=("traefik",), files={"ca-certificates.crt": _certificates},
        seconds=5,
    ),
    StandIn(
        f"registry.k8s.io/metrics-server/metrics-server:{versions.METRICS_SERVER}", "metrics-server",
        programs=("metrics-server",), seconds=5,
    ),
    StandIn(
        f"registry.k8s.io/networking/kube-network-policies:{versions.KUBE_NETWORK_POLICIES}", "kube-network-policies",
        programs=("kube-network-policies",), seconds=5,
    ),
)  # fmt: skip

# What watches the cluster: made and loaded only with `up --monitoring`.
WATCHERS = (
    *(
        StandIn(
            f"quay.io/prometheus-operator/{name}:{versions.PROMETHEUS_OPERATOR}", name, programs=(name,), seconds=5
        )
        for name in ("prometheus-operator", "prometheus-config-reloader")
    ),
    _packaged(f"quay.io/prometheus/prometheus:{versions.PROMETHEUS}", "prometheus"),
    _packaged(f"quay.io/prometheus/alertmanager:{versions.ALERTMANAGER}", "prometheus-alertmanager"),
    _packaged(f"quay.io/prometheus/blackbox-exporter:{versions.BLACKBOX_EXPORTER}", "prometheus-blackbox-exporter"),
    _packaged(
        f"quay.io/prometheuscommunity/postgres-exporter:{versions.POSTGRES_EXPORTER}", "prometheus-postgres-exporter"
    ),
    _packaged(
        f"quay.io/prometheuscommunity/elasticsearch-exporter:{versions.ELASTICSEARCH_EXPORTER}",
        "prometheus-elasticsearch-exporter",
    ),
    _packaged(f"quay.io/oliver006/redis_exporter:{versions.REDIS_EXPORTER}", "prometheus-redis-exporter"),
    StandIn(
        f"registry.k8s.io/kube-state-metrics/kube-state-metrics:{versions.KUBE_STATE_METRICS}", "kube-state-metrics",
        programs=("kube-state-metrics",), seconds=5,
    ),
    StandIn(
        f"otel/opentelemetry-collector-contrib:{versions.OTEL_CONTRIB.removeprefix('v')}", "otelcol-contrib",
        programs=("otelcol-contrib",), seconds=5,
    ),
)  # fmt: skip

# What syncs it from Git: made and loaded only with `up --gitops`.
GITOPS = (
    StandIn(
        catalog.ARGO_CD, "argocd", _TRIXIE, programs=("argocd", "helm"), files={"hack": _argocd_scripts},
        versions=(versions.ARGO_CD,), seconds=60,
    ),
    StandIn(catalog.GIT_SERVER, "git-server", _TRIXIE, programs=("git-server",)),
)  # fmt: skip

# What the node image is made of.
NODE_PARTS = (
    StandIn(
        "taskhub.local/node-base:latest", "node-base", _BOOKWORM,
        programs=("hk", "crictl", "containerd", "containerd-shim-runc-v2", "ctr"),
        files={"files": _kind_files}, versions=(versions.KIND,), arguments=(f"VERSION={versions.KUBERNETES}",),
        seconds=60,
    ),
    StandIn("taskhub.local/kubernetes:latest", "kubernetes", _BOOKWORM, programs=("hk",)),
    StandIn("taskhub.local/etcd:latest", "etcd", programs=("etcd",), seconds=5),
    StandIn("taskhub.local/coredns:latest", "coredns", programs=("coredns",), seconds=5),
    StandIn("taskhub.local/pause:latest", "pause", programs=("pause",), seconds=5),
    StandIn(
        "taskhub.local/local-path-provisioner:latest", "local-path-provisioner", programs=("local-path-provisioner",),
        seconds=5,
    ),
)  # fmt: skip


def stand_in(tag: str) -> StandIn:
    """The stand-in with this tag. Raises ClusterError if there is none."""
    for candidate in (*STAND_INS, *WATCHERS, *GITOPS, *NODE_PARTS):
        if candidate.tag == tag:
            return candidate
    raise ClusterError(f"no stand-in for the image {tag}")


def has_key(tag: str, key: str) -> bool:
    """Whether the engine has an image of this tag that was made from this key."""
    try:
        said = engine.docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{KEY_LABEL}"}}}}', tag)
    except ClusterError:
        return False
    return said.strip() == key


def build(wanted: StandIn) -> None:
    """Build an image whose base and programs are there. The classic builder does; the tag moves only at the end."""
    wanted.log.unlink(missing_ok=True)
    scratch = cache() / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"image-{wanted.folder}.", dir=scratch) as folder:
        context = Path(folder) / "context"
        shutil.copytree(HERE / "standins" / wanted.folder, context)
        for name in wanted.programs:
            _link(golang.build(golang.program(name)), context / name)
        for name, find in wanted.files.items():
            _link(find(), context / name)
        arguments = [word for argument in wanted.arguments for word in ("--build-arg", argument)]
        arguments += ["--label", f"{KEY_LABEL}={wanted.key}", "--tag", wanted.tag, str(context)]
        engine.docker("build", *arguments, log=wanted.log)


def _link(source: Path, target: Path) -> None:
    """Lay a file or folder beside the Dockerfile without copying its bytes where the file system allows."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link_file)
    else:
        _link_file(str(source), str(target))


def _link_file(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
