"""Gets every image that the cluster needs into the Docker engine: pulled where a registry answers, else built here."""

import socket
import ssl
from collections.abc import Sequence
from functools import partial

from taskhub_local.elasticsearch.distribution import cache_folder, ensure_distribution
from tests.e2e.cluster import apps, catalog, debian, engine, golang, maven, node_image, standins, tools, versions
from tests.e2e.cluster.paths import cache
from tests.e2e.cluster.progress import say
from tests.e2e.cluster.standins import StandIn
from tests.e2e.cluster.steps import Lane, Step, run_steps
from tests.e2e.cluster.store import locked

_REGISTRIES = ("registry-1.docker.io", "registry.k8s.io", "docker.elastic.co")
_MORE_REGISTRIES = (*_REGISTRIES, "quay.io")  # for what watches the cluster, and for Argo CD
_PROBE_SECONDS = 5.0
_WATCHING = ("prometheus-operator", "prometheus-config-reloader", "kube-state-metrics", "otelcol-contrib")
_GITOPS = ("argocd", "helm", "git-server")
# Not for the cluster itself: built when tools.tool() is asked for it, with the monitoring, or with Argo CD.
_ON_DEMAND = ("kustomize", "glua", "argocd", "git-server", *_WATCHING)
TOOLS = ("helm", "kubeconform", "helm-docs", "kind", "kubectl")


def registries_answer(hosts: Sequence[str] = _REGISTRIES) -> bool:
    """Whether every one of these container registries can be reached."""
    for host in hosts:
        try:
            with (
                socket.create_connection((host, 443), timeout=_PROBE_SECONDS) as plain,
                ssl.create_default_context().wrap_socket(plain, server_hostname=host),
            ):
                pass
        except OSError:
            say(f"the container registry {host} cannot be reached: images are built from packages")
            return False
    return True


def ensure_images(*, from_packages: bool = False) -> None:
    """Make sure that the engine has every image, and the cache every tool. Reuses what is there.

    `from_packages`: build the images even where the registries answer (they may limit pulls). Raises ClusterError.
    """
    engine.ensure_engine()
    with locked("images"):
        run_steps(built() if from_packages or not registries_answer() else pulled())


def ensure_monitoring_images(*, from_packages: bool = False) -> None:
    """Do so for the images of what watches the cluster. Raises ClusterError."""
    with locked("images"):
        # The other registries, too: the base image of what receives the alerts is Docker Hub's.
        if from_packages or not registries_answer(_MORE_REGISTRIES):
            bases = sorted({image.base for image in standins.WATCHERS if image.base})
            steps = [_debian(base) for base in bases]
            run_steps([*steps, *(_program(name) for name in _WATCHING), *(_stand_in(one) for one in standins.WATCHERS)])
        else:
            run_steps([_pull(tag) for tag in catalog.MONITORING])


def ensure_gitops_images(*, from_packages: bool = False) -> None:
    """Do so for Argo CD's image and that of the Git server, which no registry has. Raises ClusterError."""
    with locked("images"):
        if from_packages or not registries_answer(_MORE_REGISTRIES):
            run_steps([*(_program(name) for name in _GITOPS), *(_stand_in(image) for image in standins.GITOPS)])
        else:
            server = standins.stand_in(catalog.GIT_SERVER)
            run_steps([_program("git-server"), _pull(catalog.ARGO_CD), _stand_in(server)])


def pulled() -> list[Step]:
    """The steps that fetch the upstream images; the tools are built from Go modules all the same."""
    images = (catalog.UPSTREAM_NODE, catalog.PYTHON, *catalog.BACKING, *catalog.PLATFORM)
    return [*(_tool(name) for name in TOOLS), *(_pull(tag) for tag in images), *_apps()]


def built() -> list[Step]:
    """The steps that build everything from packages."""
    steps = [_program(program.name) for program in golang.PROGRAMS if program.name not in _ON_DEMAND]
    steps += [_debian(tag) for tag in standins.DEBIAN]
    steps += [
        Step("elasticmq jars", maven.elasticmq_jars, maven.ELASTICMQ.exists),
        Step("elasticsearch archive", ensure_distribution, _has_elasticsearch, seconds=60),
    ]
    steps += [_stand_in(image) for image in standins.STAND_INS]
    steps += _apps()
    steps += [_stand_in(image) for image in standins.NODE_PARTS]
    steps.append(
        Step(catalog.NODE, node_image.build, node_image.is_built, needs=tuple(node_image.PARTS), seconds=45),
    )
    return steps


def _pull(tag: str) -> Step:
    return Step(tag, partial(engine.docker, "pull", "--quiet", tag), partial(_has_image, tag))


def _program(name: str) -> Step:
    program = golang.program(name)
    return Step(name, partial(golang.build, program), program.artefact.exists, Lane.COMPILE, seconds=program.seconds)


def _tool(name: str) -> Step:
    """A tool: nothing to do where one of the pinned version is on PATH."""
    program = tools.program_of(name)
    return Step(name, partial(tools.tool, name), partial(tools.is_there, name), Lane.COMPILE, seconds=program.seconds)


def _apps() -> list[Step]:
    """The applications' images, which need the base image only."""
    return [
        Step(image.name, image.ensure, partial(_has_image, image.tag), needs=(catalog.PYTHON,), seconds=60)
        for image in apps.IMAGES.values()
    ]


def _debian(tag: str) -> Step:
    suite = standins.debian_suite(tag)
    log = cache() / "logs" / f"debian-{suite}.log"
    done = partial(standins.has_key, tag, debian.key(suite))
    return Step(tag, partial(debian.make, suite, tag, log), done, seconds=40)


def _stand_in(image: StandIn) -> Step:
    needs = (*image.programs, *((image.base,) if image.base else ()))
    if "files" in image.files:
        needs += ("kind",)  # its module's files
    done = partial(standins.has_key, image.tag, image.key)
    return Step(image.tag, partial(standins.build, image), done, needs=needs, seconds=image.seconds)


def _has_elasticsearch() -> bool:
    return (cache_folder() / f"elasticsearch-{versions.ELASTICSEARCH}").is_dir()


def _has_image(tag: str) -> bool:
    return bool(engine.docker("image", "ls", "--quiet", tag).strip())
