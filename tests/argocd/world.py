"""What is under argocd/, and what Argo CD makes of it in each environment."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tools.promote.applications import generate
from tools.promote.rendering import source_options
from tools.promote.version import environments

from tests.charts.rendering import Manifest, manifests, template
from tests.charts.schemas import CUSTOM_RESOURCES, CustomResources
from tests.e2e.cluster.versions import ARGO_CD

ROOT = Path(__file__).parents[2]
ARGO = ROOT / "argocd"
ENVIRONMENTS = environments(ROOT)
FROM_AWS = ("prod", "staging")
WAVE, HOOK, OPTIONS = (f"argocd.argoproj.io/{name}" for name in ("sync-wave", "hook", "sync-options"))

DEFINITIONS = (
    *CUSTOM_RESOURCES,
    CustomResources("github.com/argoproj/argo-cd/v3", ARGO_CD, "manifests/crds"),
    CustomResources("github.com/external-secrets/external-secrets", "v1.3.2", "config/crds/bases"),
    CustomResources("github.com/elastic/cloud-on-k8s/v3", "v3.5.0", "config/crds/v1/resources"),
)
"""Where the kinds are defined that Argo CD reads, or applies."""


def documents(folder: str) -> Iterator[Manifest]:
    """The objects of the files right in a folder of argocd/, as Argo CD reads a folder."""
    for path in sorted((ARGO / folder).glob("*.yaml")):
        yield from manifests(path.read_text())


def projects() -> dict[str, Manifest]:
    """The AppProjects by name."""
    return {each["metadata"]["name"]: each for each in documents("bootstrap/projects")}


def root(environment: str) -> Manifest:
    """The application of applications."""
    (found,) = (each for each in documents("bootstrap") if each["metadata"]["name"] == f"{environment}-root")
    return found


def application_sets() -> list[Manifest]:
    """The ApplicationSets that the roots apply."""
    return [*documents("platform"), *documents("apps")]


@cache
def applications(environment: str) -> list[Manifest]:
    """The Applications that the ApplicationSets make in an environment."""
    return [application for each in application_sets() for application in generate(each, environment, _read)]


def application(environment: str, name: str) -> Manifest:
    """One of them, such as `taskhub`."""
    wanted = f"{environment}-{name}"
    (found,) = (each for each in applications(environment) if each["metadata"]["name"] == wanted)
    return found


def own_sources(application: Manifest) -> list[Manifest]:
    """The sources that lie in this repository: those that can be rendered."""
    return [source for source in application["spec"]["sources"] if "path" in source]


def render(application: Manifest, source: Manifest) -> list[Manifest]:
    """What a source of an Application is, by `helm template` or as it lies there. Not to be changed: it is kept."""
    return _objects(source["path"], _options(application, source))


@cache
def _objects(path: str, options: tuple[str, ...] | None) -> list[Manifest]:
    if options is None:
        return [each for file in sorted((ROOT / path).glob("*.yaml")) for each in manifests(file.read_text())]
    return manifests(template(Path(path).name, options))


def _options(application: Manifest, source: Manifest) -> tuple[str, ...] | None:
    if "helm" not in source:
        return None
    assert source["helm"]["releaseName"] == Path(source["path"]).name, "a release is called as its chart"
    return tuple(source_options(source, application["spec"]["destination"]["namespace"], ROOT))


def all_renderings(environment: str) -> Iterator[tuple[Manifest, Manifest]]:
    """Every object of this repository that Argo CD applies in an environment, with its Application."""
    for application in (root(environment), *applications(environment)):
        for source in own_sources(application):
            for each in render(application, source):
                yield application, each


def _read(path: str) -> str:
    return (ROOT / path).read_text()


def kind_of(manifest: Manifest) -> tuple[str, str]:
    """Group and kind."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    return (group if version else "", manifest["kind"])


def annotations(manifest: Manifest) -> dict[str, Any]:
    """The annotations of an object, if only an empty dict."""
    return manifest["metadata"].get("annotations") or {}
