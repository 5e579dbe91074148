"""Builds programs from Go modules, each at a pinned version, with nothing but `go` and a module proxy."""

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.e2e.cluster import versions
from tests.e2e.cluster.paths import HERE
from tests.e2e.cluster.shell import ClusterError, run
from tests.e2e.cluster.store import Artefact, Kind, ensure, link

_LEAN = "-s -w"
# No debug information, which the linker would drop again, and less garbage collection: an eighth of the time less.
_FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false")
_ROOM = {"GOGC": "400"}


class Way(StrEnum):
    """How a program is built."""

    INSTALL = "go install"  # its module is complete in itself
    WRAPPED = "wrapped"  # its go.mod has `replace` lines, which `go install` refuses: a module of ours repeats them
    TOGETHER = "together"  # with Kubernetes' versions of what both need, which Go then compiles once for all of them
    OWN = "own"  # a program of ours, under sources/


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
    raised: tuple[str, ...] = ()  # "module version": what it needs newer than it says, beside what others have raised
    beside: tuple[str, ...] = ()  # "module version": what its go.mod finds in a folder of its repository, as published

    @property
    def artefact(self) -> Artefact:
        """The built program in the cache: another recipe for the same version is another artefact."""
        recipe = [
            self.import_path, self.way, self.ldflags, self.tags, str(_FLAGS), str(self.patches), *self.beside,
        ]  # fmt: skip
        if self.way is Way.TOGETHER:
            recipe += [f"{one.module} {one.version} {one.raised}" for one in together()]
        if self.way is Way.WRAPPED:
            recipe += self.raised
        if self.own_source.is_dir():
            recipe += [path.read_text() for path in sorted(self.own_source.iterdir())]
        digest = hashlib.sha256("\0".join(recipe).encode()).hexdigest()[:6]
        return Artefact(self.name, f"{self.version}-{digest}", Kind.PROGRAM)

    @property
    def import_path(self) -> str:
        """The package to build."""
        return f"{self.module}/{self.package}" if self.package else self.module

    @property
    def own_source(self) -> Path:
        """The folder of the package, where it is ours."""
        return HERE / "sources" / self.name


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
# It makes its table anew with each change of any pod of its node, and the kernel then drops every packet that waits for
# its word: the first of a connection, which is sent again after a second (issue 402 of kubernetes-sigs's
# kube-network-policies). The rules never change: they are laid once, and only the addresses are replaced.
_LASTING_TABLE = tuple(
    ("pkg/networkpolicy/controller.go", old, new)
    for old, new in (
        ("\tnfq     *nfqueue.Nfqueue\n", "\tnfq     *nfqueue.Nfqueue\n\n\trulesLaid bool\n"),
        (
            "\tnft.AddTable(table)\n\tnft.DelTable(table)\n\tnft.AddTable(table)\n",
            "\tnft.AddTable(table)\n\tif !c.rulesLaid {\n\t\tnft.DelTable(table)\n\t\tnft.AddTable(table)\n\t}\n",
        ),
        (
            "\t\tif err := nft.AddSet(v4Set, elementsV4); err != nil {\n",
            "\t\tif c.rulesLaid {\n\t\t\tnft.FlushSet(v4Set)\n\t\t\tnft.FlushSet(v6Set)\n\t\t}\n"
            "\t\tif err := nft.AddSet(v4Set, elementsV4); err != nil {\n",
        ),
        (
            "\t// Process the packets that are, usually on the FORWARD hook, but\n",
            "\tif c.rulesLaid {\n\t\terr := nft.Flush()\n\t\tc.rulesLaid = err == nil\n\t\treturn err\n\t}\n\n"
            "\t// Process the packets that are, usually on the FORWARD hook, but\n",
        ),
        (
            '"syncing nftables rules", "error", err)\n\t\treturn err\n\t}\n\treturn nil\n',
            '"syncing nftables rules", "error", err)\n\t\treturn err\n\t}\n\tc.rulesLaid = true\n\treturn nil\n',
        ),
    )
)
# Let's Encrypt through 150 DNS services, and plug-ins in interpreted Go: much to compile, for what a cluster
# with certificates of its own never asks for.
_NO_ACME_BY_DNS = (
    ("pkg/provider/acme/provider.go", '\t"github.com/go-acme/lego/v4/providers/dns"\n', ""),
    (
        "pkg/provider/acme/provider.go",
        "provider, err = dns.NewDNSChallengeProviderByName(p.DNSChallenge.Provider)",
        'err = errors.New("this Traefik was built without DNS challenges")',
    ),
)
_NO_PLUGINS = tuple(
    ("pkg/plugins/middlewareyaegi.go", old, new)
    for old, new in (
        ('\t"github.com/traefik/yaegi/stdlib"\n', ""),
        ('\t"github.com/traefik/yaegi/stdlib/syscall"\n', ""),
        ('\t"github.com/traefik/yaegi/stdlib/unsafe"\n', ""),
        ("err := i.Use(stdlib.Symbols)", 'err := errors.New("this Traefik was built without plug-ins")'),
        ("err := i.Use(unsafe.Symbols)", "err := error(nil)"),
        ("err = i.Use(syscall.Symbols)", "err = nil"),
    )
)
# What CoreDNS asks of clouds and of other stores of names, and its tracing; a cluster's names come from Kubernetes.
_ONLY_KUBERNETES = tuple(
    ("core/plugin/zplugin.go", f'\t_ "github.com/coredns/coredns/plugin/{plugin}"\n', "")
    for plugin in ("azure", "clouddns", "dnstap", "etcd", "geoip", "nomad", "route53", "trace")
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


def _collector_parts() -> tuple[str, ...]:
    """What sources/otelcol-contrib imports beside the collector's own module: one release of all of them."""
    core, contrib = "go.opentelemetry.io/collector", "github.com/open-telemetry/opentelemetry-collector-contrib"
    versions_of = {
        versions.OTEL_COLLECTOR_STABLE: [f"{core}/{part}" for part in (
            "component", "confmap", "confmap/provider/fileprovider", "exporter", "extension", "processor", "receiver",
        )],
        versions.OTEL_COLLECTOR: [f"{core}/{part}" for part in (
            "exporter/otlphttpexporter", "processor/memorylimiterprocessor", "receiver/otlpreceiver", "service",
        )],
        versions.OTEL_CONTRIB: [f"{contrib}/{part}" for part in (
            "extension/healthcheckextension", "extension/storage/filestorage", "receiver/filelogreceiver",
        )],
    }  # fmt: skip
    return tuple(f"{module} {version}" for version, modules in versions_of.items() for module in modules)


def _argocd_flags() -> str:
    return f"-X github.com/argoproj/argo-cd/v3/common.version={versions.ARGO_CD.removeprefix('v')}"


def _helm_flags() -> str:
    """What a release of Helm is linked with; without the Kubernetes version `helm template` assumes v1.20."""
    major, minor, _ = versions.KUBERNETES.removeprefix("v").split(".")
    package = "helm.sh/helm/v3/pkg/chartutil"
    kubernetes = f"-X {package}.k8sVersionMajor={major} -X {package}.k8sVersionMinor={minor}"
    return f"-X helm.sh/helm/v3/internal/version.version={versions.HELM} {kubernetes}"


def _kubernetes_flags() -> str:
    version = versions.KUBERNETES
    package = "k8s.io/component-base/version"
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(f"-X {package}.{name}={value}" for name, value in values.items())


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
    GoProgram(
        "hk", versions.KUBERNETES, "k8s.io/kubernetes", way=Way.TOGETHER, ldflags=_kubernetes_flags(), seconds=420
    ),
    _containerd("containerd", 120),
    _containerd("containerd-shim-runc-v2", 20),
    _containerd("ctr", 30),
    GoProgram("etcd", versions.ETCD, "go.etcd.io/etcd/server/v3", way=Way.WRAPPED, seconds=60),
    GoProgram(
        "coredns", versions.COREDNS, "github.com/coredns/coredns", way=Way.TOGETHER, seconds=60,
        patches=_ONLY_KUBERNETES,
    ),
    GoProgram("crictl", versions.CRICTL, "sigs.k8s.io/cri-tools", "cmd/crictl", seconds=40),
    GoProgram(
        "local-path-provisioner", versions.LOCAL_PATH_PROVISIONER, "github.com/rancher/local-path-provisioner",
        way=Way.TOGETHER, seconds=10,
    ),
    GoProgram(
        "traefik", versions.TRAEFIK, "github.com/traefik/traefik/v3", "cmd/traefik", Way.TOGETHER, seconds=120,
        patches=(*_NO_ACME_BY_DNS, *_NO_PLUGINS),
    ),
    # By itself: with Kubernetes' newer machinery it does not find the names of its own kinds, and ends at once.
    GoProgram(
        "metrics-server", versions.METRICS_SERVER, "sigs.k8s.io/metrics-server", "cmd/metrics-server", seconds=100
    ),
    GoProgram(
        "kube-network-policies", versions.KUBE_NETWORK_POLICIES, "sigs.k8s.io/kube-network-policies", "cmd",
        Way.TOGETHER, seconds=20, patches=(*_QUEUE_BY_TARGET, *_LASTING_TABLE),
        raised=("github.com/containerd/nri v0.12.0",),
    ),
    GoProgram(
        "argocd", versions.ARGO_CD, "github.com/argoproj/argo-cd/v3", way=Way.WRAPPED, ldflags=_argocd_flags(),
        beside=(f"github.com/argoproj/argo-cd/gitops-engine {versions.GITOPS_ENGINE}",), seconds=200,
    ),
    _operator("prometheus-operator", "cmd/operator", 150),
    _operator("prometheus-config-reloader", "cmd/prometheus-config-reloader", 40),
    GoProgram(
        "kube-state-metrics", versions.KUBE_STATE_METRICS, "k8s.io/kube-state-metrics/v2", way=Way.WRAPPED, seconds=190,
        ldflags=f"-X github.com/prometheus/common/version.Version={versions.KUBE_STATE_METRICS}",
    ),
    GoProgram(
        "otelcol-contrib", versions.OTEL_COLLECTOR, "go.opentelemetry.io/collector/otelcol", way=Way.WRAPPED,
        seconds=170, raised=_collector_parts(),
    ),
    GoProgram("pause", "v1", "pause", way=Way.OWN, seconds=5),
    GoProgram("git-server", "v1", "git-server", way=Way.OWN, seconds=10),
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


def together() -> list[GoProgram]:
    """The programs that are built with Kubernetes' versions of what they need."""
    return [one for one in PROGRAMS if one.way is Way.TOGETHER]


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
    if wanted.name == "hk":
        link(wanted.artefact, "kubectl")
    return path


def _build(wanted: GoProgram, target: Path, scratch: Path) -> None:
    match wanted.way:
        case Way.INSTALL:
            _install(wanted, target, scratch)
            return
        case Way.WRAPPED:
            _write_module([wanted], scratch)
            if wanted.own_source.is_dir():
                shutil.copytree(wanted.own_source, scratch / wanted.name)
        case Way.TOGETHER:
            _write_module(together(), scratch)
            for one in together():
                if one.own_source.is_dir():
                    shutil.copytree(one.own_source, scratch / one.name)
            # All of them decide the versions, whichever is built: then Go finds what it has compiled for another.
            _go(wanted, scratch, "mod", "tidy")
        case Way.OWN:
            shutil.copytree(wanted.own_source, scratch, dirs_exist_ok=True)
    package = wanted.import_path
    if wanted.own_source.is_dir():
        package = "." if wanted.way is Way.OWN else f"./{wanted.name}"
    flags = [*_FLAGS, "-buildvcs=false", "-ldflags", f"{_LEAN} {wanted.ldflags}".strip(), "-tags", wanted.tags]
    _go(wanted, scratch, "build", *flags, "-o", str(target), package)


def _install(wanted: GoProgram, target: Path, scratch: Path) -> None:
    flags = [*_FLAGS, "-ldflags", f"{_LEAN} {wanted.ldflags}".strip()]
    _go(wanted, scratch, "install", *flags, f"{wanted.import_path}@{wanted.version}", GOBIN=str(scratch))
    (built,) = (path for path in scratch.iterdir() if path.is_file())
    built.rename(target)


def _write_module(programs: Sequence[GoProgram], scratch: Path) -> None:
    """A module that requires those of the programs, and repeats what a module that is required cannot say itself."""
    requires, replaces, tools, versions_of_go = [], [], [], []
    for one in programs:
        source = _source(one, scratch)
        text = (source / "go.mod").read_text()
        versions_of_go.append(_go_version(text))
        requires += [f"require {needed}" for needed in (f"{one.module} {one.version}", *one.raised)]
        replaces += [f"replace {line}" for line in [*replacements(text), *published(text, one.version)]]
        replaces += [f"replace {found.split()[0]} => {found}" for found in one.beside]
        if not one.own_source.is_dir():
            tools.append(f"tool {one.import_path}")
        if one.patches:
            write_patched(one, source, scratch / f"patched-{one.name}")
            replaces.append(f"replace {one.module} => ./patched-{one.name}")
    newest = max(versions_of_go, key=lambda version: [int(part) for part in version.split(".")])
    lines = ["module local/programs", f"go {newest}", *requires, *replaces, *tools]
    (scratch / "go.mod").write_text("\n".join(lines) + "\n")


def replacements(go_mod: str) -> list[str]:
    """The replacements of a go.mod, in a block or not, that name another module rather than a folder."""
    in_blocks = [line for block in re.findall(r"^replace \((.*?)^\)", go_mod, re.MULTILINE | re.DOTALL)
                 for line in block.splitlines()]  # fmt: skip
    alone = re.findall(r"^replace ([^(].*)$", go_mod, re.MULTILINE)
    lines = [line.split("//")[0].strip() for line in [*in_blocks, *alone]]
    return [line for line in lines if "=>" in line and not line.split("=>")[1].strip().startswith(".")]


def published(go_mod: str, version: str) -> list[str]:
    """Kubernetes' go.mod points at folders of its own repository; each is also published as k8s.io/X v0.N.M."""
    staging = re.findall(r"^\s*(k8s\.io/[a-z-]+) => \./staging/", go_mod, re.MULTILINE)
    return [f"{module} => {module} {version.replace('v1.', 'v0.', 1)}" for module in staging]


def write_patched(wanted: GoProgram, source: Path, folder: Path) -> None:
    """A copy of the module's source with our lines in it. Raises ClusterError if a line to replace is not there."""
    shutil.copytree(source, folder)
    for path in [folder, *folder.rglob("*")]:  # Go's module cache is read-only
        path.chmod(path.stat().st_mode | 0o200)
    for file, old, new in wanted.patches:
        text = (folder / file).read_text()
        if old not in text:
            raise ClusterError(f"{wanted.name} {wanted.version}: {file} has changed, the patch no longer fits")
        (folder / file).write_text(text.replace(old, new))


def _go_version(go_mod: str) -> str:
    found = re.search(r"^go (\S+)$", go_mod, re.MULTILINE)
    return found.group(1) if found else "1.26"


def _source(wanted: GoProgram, scratch: Path) -> Path:
    answer = run([go(), "mod", "download", "-json", f"{wanted.module}@{wanted.version}"], cwd=scratch)
    return Path(json.loads(answer)["Dir"])


def _go(wanted: GoProgram, scratch: Path, *arguments: str, **environment: str) -> None:
    flags = "" if wanted.way in (Way.INSTALL, Way.OWN) else "-mod=mod"
    settings = {"CGO_ENABLED": "0", "GOFLAGS": flags, "GOWORK": "off", **_ROOM, **environment}
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
