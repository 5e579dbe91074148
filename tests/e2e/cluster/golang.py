"""Builds programs from Go modules, each at a pinned version, with nothing but `go` and a module proxy."""

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.e2e.cluster import versions
from tests.e2e.cluster.paths import HERE
from tests.e2e.cluster.shell import ClusterError, run
from tests.e2e.cluster.store import Artefact, Kind, ensure, link

_LEAN = "-s -w"


class Way(StrEnum):
    """How a program is built."""

    INSTALL = "go install"  # its module is complete in itself
    WRAPPED = "wrapped"  # its go.mod has `replace` lines, which `go install` refuses: a module of ours repeats them
    PATCHED = "patched"  # its source with a line of ours (see `patches`)
    OWN = "own"  # a program of ours, under sources/
    KUBERNETES = "kubernetes"  # all Kubernetes programs as one binary


@dataclass(frozen=True)
class GoProgram:
    """A program, the package that it is built from, and about how long that takes on two cores."""

    name: str
    version: str
    module: str
    package: str = ""  # within the module
    way: Way = Way.INSTALL
    ldflags: str = ""
    tags: str = ""
    seconds: float = 60
    patches: tuple[tuple[str, str, str], ...] = ()  # file, text there, text instead

    @property
    def artefact(self) -> Artefact:
        """The built program in the cache: another recipe for the same version is another artefact."""
        recipe = [self.import_path, self.way, self.ldflags, self.tags, str(self.patches)]
        if self.way in (Way.OWN, Way.KUBERNETES):
            recipe += [path.read_text() for path in sorted((HERE / "sources" / self.name).iterdir())]
        digest = hashlib.sha256("\0".join(recipe).encode()).hexdigest()[:6]
        return Artefact(self.name, f"{self.version}-{digest}", Kind.PROGRAM)

    @property
    def import_path(self) -> str:
        """The package to build."""
        return f"{self.module}/{self.package}" if self.package else self.module


# nftables' own queue statement is a module that lean kernels lack; iptables' NFQUEUE target, which nftables can call,
# is there. struct xt_NFQ_info_v3: queue number, number of queues, flags (1: let through when nobody listens).
_QUEUE_BY_TARGET = (
    (
        "pkg/networkpolicy/controller.go",
        "queue := &expr.Queue{Num: uint16(c.config.QueueID)}",
        "info := xt.Unknown{byte(c.config.QueueID), byte(c.config.QueueID >> 8), 1, 0, 0, 0, 0, 0}\n"
        '\tqueue := &expr.Target{Name: "NFQUEUE", Rev: 3, Info: &info}',
    ),
    ("pkg/networkpolicy/controller.go", "queue.Flag = expr.QueueFlagBypass", "info[4] = 1"),
    (
        "pkg/networkpolicy/controller.go",
        '"github.com/google/nftables/expr"',
        '"github.com/google/nftables/expr"\n\t"github.com/google/nftables/xt"',
    ),
)
_CONTAINERD_TAGS = "no_btrfs no_devmapper no_zfs no_aufs"


def _containerd(name: str, seconds: float) -> GoProgram:
    return GoProgram(
        name, versions.CONTAINERD, "github.com/containerd/containerd/v2", f"cmd/{name}", Way.WRAPPED,
        tags=_CONTAINERD_TAGS, seconds=seconds,
    )  # fmt: skip


def _operator(name: str, package: str, seconds: float) -> GoProgram:
    """A program of Prometheus Operator, which says its version to whoever asks it."""
    return GoProgram(
        name, versions.PROMETHEUS_OPERATOR, "github.com/prometheus-operator/prometheus-operator", package, Way.WRAPPED,
        ldflags=f"-X github.com/prometheus/common/version.Version={versions.PROMETHEUS_OPERATOR.removeprefix('v')}",
        seconds=seconds,
    )  # fmt: skip


def _helm_flags() -> str:
    """What a release of Helm is linked with; without the Kubernetes version `helm template` assumes v1.20."""
    major, minor, _ = versions.KUBERNETES.removeprefix("v").split(".")
    package = "helm.sh/helm/v3/pkg/chartutil"
    kubernetes = f"-X {package}.k8sVersionMajor={major} -X {package}.k8sVersionMinor={minor}"
    return f"-X helm.sh/helm/v3/internal/version.version={versions.HELM} {kubernetes}"


# In the order in which they are wanted: the tools of the tests first, then what the node image needs.
PROGRAMS = (
    GoProgram(
        "helm", versions.HELM, "helm.sh/helm/v3", "cmd/helm",
        ldflags=_helm_flags(), seconds=150,
    ),
    GoProgram(
        "kubeconform", versions.KUBECONFORM, "github.com/yannh/kubeconform", "cmd/kubeconform",
        ldflags=f"-X main.version={versions.KUBECONFORM}", seconds=10,
    ),
    GoProgram(
        "helm-docs", versions.HELM_DOCS, "github.com/norwoodj/helm-docs", "cmd/helm-docs",
        ldflags=f"-X main.version={versions.HELM_DOCS}", seconds=60,
    ),
    GoProgram("kind", versions.KIND, "sigs.k8s.io/kind", seconds=20),
    GoProgram("hk", versions.KUBERNETES, "k8s.io/kubernetes", way=Way.KUBERNETES, seconds=420),
    _containerd("containerd", 120),
    _containerd("containerd-shim-runc-v2", 20),
    _containerd("ctr", 30),
    GoProgram("etcd", versions.ETCD, "go.etcd.io/etcd/server/v3", way=Way.WRAPPED, seconds=60),
    GoProgram("coredns", versions.COREDNS, "github.com/coredns/coredns", seconds=150),
    GoProgram("crictl", versions.CRICTL, "sigs.k8s.io/cri-tools", "cmd/crictl", seconds=40),
    GoProgram(
        "local-path-provisioner", versions.LOCAL_PATH_PROVISIONER, "github.com/rancher/local-path-provisioner",
        seconds=40,
    ),
    GoProgram("traefik", versions.TRAEFIK, "github.com/traefik/traefik/v3", "cmd/traefik", Way.WRAPPED, seconds=300),
    GoProgram(
        "metrics-server", versions.METRICS_SERVER, "sigs.k8s.io/metrics-server", "cmd/metrics-server", seconds=60
    ),
    GoProgram(
        "kube-network-policies", versions.KUBE_NETWORK_POLICIES, "sigs.k8s.io/kube-network-policies", "cmd",
        Way.PATCHED, seconds=90, patches=_QUEUE_BY_TARGET,
    ),
    _operator("prometheus-operator", "cmd/operator", 150),
    _operator("prometheus-config-reloader", "cmd/prometheus-config-reloader", 40),
    GoProgram("pause", "v1", "pause", way=Way.OWN, seconds=5),
    # Not for the cluster itself: built when somebody asks tools.tool() for it.
    GoProgram("kustomize", versions.KUSTOMIZE, "sigs.k8s.io/kustomize/kustomize/v5", seconds=40),
    # The Lua of Argo CD's health checks.
    GoProgram("glua", versions.GLUA, "github.com/yuin/gopher-lua", "cmd/glua", seconds=30),
)  # fmt: skip

# What the one Kubernetes binary is called by.
KUBERNETES_NAMES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubeadm",
    "kubectl",
)


def program(name: str) -> GoProgram:
    """The program of this name. Raises ClusterError if there is none."""
    for candidate in PROGRAMS:
        if candidate.name == name:
            return candidate
    raise ClusterError(f"no program {name!r}; there are {', '.join(each.name for each in PROGRAMS)}")


def build(wanted: GoProgram) -> Path:
    """Build the program unless the cache has it, and return its path.

    Raises ClusterError if Go is missing or the build fails; a build that was interrupted goes on where Go's own cache
    left off.
    """
    path = ensure(wanted.artefact, lambda target, scratch: _build(wanted, target, scratch))
    link(wanted.artefact)
    if wanted.way is Way.KUBERNETES:
        link(wanted.artefact, "kubectl")
    return path


def _build(wanted: GoProgram, target: Path, scratch: Path) -> None:
    ldflags, package, folder = wanted.ldflags, wanted.import_path, scratch
    match wanted.way:
        case Way.INSTALL:
            _install(wanted, target, scratch)
            return
        case Way.WRAPPED:
            _write_wrapper(wanted, scratch)
            _go(wanted, scratch, "get", f"{package}@{wanted.version}")
        case Way.PATCHED:
            folder = _write_patched(wanted, scratch)
            package = f"./{wanted.package}"
        case Way.OWN:
            folder, package = HERE / "sources" / wanted.module, "."
        case Way.KUBERNETES:
            _write_kubernetes(wanted, scratch)
            _go(wanted, scratch, "mod", "tidy")
            ldflags, package = _kubernetes_version(wanted.version), "./hk"
    flags = ["-trimpath", "-buildvcs=false", "-ldflags", f"{_LEAN} {ldflags}".strip(), "-tags", wanted.tags]
    _go(wanted, folder, "build", *flags, "-o", str(target), package)


def _install(wanted: GoProgram, target: Path, scratch: Path) -> None:
    flags = ["-trimpath", "-ldflags", f"{_LEAN} {wanted.ldflags}".strip()]
    _go(wanted, scratch, "install", *flags, f"{wanted.import_path}@{wanted.version}", GOBIN=str(scratch))
    (built,) = (path for path in scratch.iterdir() if path.is_file())
    built.rename(target)


def _write_wrapper(wanted: GoProgram, scratch: Path) -> None:
    """A module that requires the program's and repeats those of its `replace` lines that name other modules."""
    source = _source(wanted, scratch)
    text = (source / "go.mod").read_text()
    lines = [f"module local/{wanted.name}", f"go {_go_version(text)}", f"require {wanted.module} {wanted.version}"]
    lines += [f"replace {line}" for line in replacements(text)]
    (scratch / "go.mod").write_text("\n".join(lines) + "\n")


def replacements(go_mod: str) -> list[str]:
    """The replacements of a go.mod, in a block or not, that name another module rather than a folder."""
    in_blocks = [line for block in re.findall(r"^replace \((.*?)^\)", go_mod, re.MULTILINE | re.DOTALL)
                 for line in block.splitlines()]  # fmt: skip
    alone = re.findall(r"^replace ([^(].*)$", go_mod, re.MULTILINE)
    lines = [line.split("//")[0].strip() for line in [*in_blocks, *alone]]
    return [line for line in lines if "=>" in line and not line.split("=>")[1].strip().startswith(".")]


def _write_kubernetes(wanted: GoProgram, scratch: Path) -> None:
    """Kubernetes' go.mod points at folders of its own repository; each is also published as k8s.io/X v0.N.M."""
    source = _source(wanted, scratch)
    text = (source / "go.mod").read_text()
    published = wanted.version.replace("v1.", "v0.", 1)
    staging = re.findall(r"^\s*(k8s\.io/[a-z-]+) => \./staging/", text, re.MULTILINE)
    lines = ["module local/hk", f"go {_go_version(text)}", f"godebug default=go{_go_minor(text)}"]
    lines += [f"require {wanted.module} {wanted.version}"]
    lines += [f"replace {module} => {module} {published}" for module in staging]
    (scratch / "hk").mkdir()
    shutil.copy(HERE / "sources" / "hk" / "main.go", scratch / "hk" / "main.go")
    (scratch / "go.mod").write_text("\n".join(lines) + "\n")


def _write_patched(wanted: GoProgram, scratch: Path) -> Path:
    """A copy of the module's source with our lines in it. Raises ClusterError if a line to replace is not there."""
    folder = scratch / "source"
    shutil.copytree(_source(wanted, scratch), folder)
    for path in [folder, *folder.rglob("*")]:  # Go's module cache is read-only
        path.chmod(path.stat().st_mode | 0o200)
    for file, old, new in wanted.patches:
        text = (folder / file).read_text()
        if old not in text:
            raise ClusterError(f"{wanted.name} {wanted.version}: {file} has changed, the patch no longer fits")
        (folder / file).write_text(text.replace(old, new))
    return folder


def _kubernetes_version(version: str) -> str:
    package = "k8s.io/component-base/version"
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(f"-X {package}.{name}={value}" for name, value in values.items())


def _go_version(go_mod: str) -> str:
    found = re.search(r"^go (\S+)$", go_mod, re.MULTILINE)
    return found.group(1) if found else "1.26"


def _go_minor(go_mod: str) -> str:
    return ".".join(_go_version(go_mod).split(".")[:2])


def _source(wanted: GoProgram, scratch: Path) -> Path:
    answer = run([go(), "mod", "download", "-json", f"{wanted.module}@{wanted.version}"], cwd=scratch)
    return Path(json.loads(answer)["Dir"])


def _go(wanted: GoProgram, scratch: Path, *arguments: str, **environment: str) -> None:
    flags = "" if wanted.way in (Way.INSTALL, Way.OWN) else "-mod=mod"
    settings = {"CGO_ENABLED": "0", "GOFLAGS": flags, "GOWORK": "off", **environment}
    run([go(), *arguments], cwd=scratch, log=wanted.artefact.log, environment=settings)


def go() -> str:
    """The path of Go. Raises ClusterError, with the way to get it, if this machine has none."""
    found = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if found is None:
        raise ClusterError(
            "Go is not installed, and programs must be built with it here. Install Go 1.26 or newer from "
            "https://go.dev/dl/ (unpack it to /usr/local/go), then run this again"
        )
    return found


def find_source(name: str) -> Path:
    """The unpacked source of a program's module, in Go's module cache."""
    wanted = program(name)
    return _source(wanted, HERE)
