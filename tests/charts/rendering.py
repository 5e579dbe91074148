"""Renders the charts as `helm template` does, for every values file that they come with."""

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

from tests.e2e.cluster.tools import tool

type Manifest = dict[str, Any]

ROOT = Path(__file__).parents[2]
CHARTS = ROOT / "charts"


@dataclass(frozen=True)
class Rendering:
    """A chart with one of its values files."""

    chart: str
    values: str

    def __str__(self) -> str:
        return f"{self.chart}-{self.values}"

    @property
    def values_file(self) -> Path:
        """Where these values are."""
        return CHARTS / self.chart / "ci" / f"{self.values}-values.yaml"


class Refused(Exception):
    """Helm would not render; the text is what it said."""


def application_charts() -> list[str]:
    """The charts that can be installed."""
    files = sorted(CHARTS.glob("*/Chart.yaml"))
    return [path.parent.name for path in files if yaml.safe_load(path.read_text()).get("type") != "library"]


def renderings() -> list[Rendering]:
    """Every chart with each of its values files."""
    return [
        Rendering(chart, path.name.removesuffix("-values.yaml"))
        for chart in application_charts()
        for path in sorted((CHARTS / chart / "ci").glob("*-values.yaml"))
    ]


@cache
def render(rendering: Rendering) -> str:
    """What `helm template` prints. Raises Refused if it refuses."""
    return template(rendering.chart, ["--values", str(rendering.values_file)])


def template(chart: str, options: Sequence[str]) -> str:
    """What `helm template` prints with these options. Raises Refused if it refuses."""
    command = [tool("helm"), "template", chart, _with_dependencies(chart), "--namespace", "taskhub", *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if result.returncode != 0:
        raise Refused(result.stderr)
    return result.stdout


def manifests(text: str) -> list[Manifest]:
    """The objects of a rendering."""
    return [document for document in yaml.safe_load_all(text) if document]


def of_kind(objects: Iterable[Manifest], *kinds: str) -> list[Manifest]:
    """Those of these kinds."""
    return [each for each in objects if each["kind"] in kinds]


def pods(objects: Iterable[Manifest]) -> list[tuple[str, Manifest]]:
    """Every pod that these objects start, with its labels: "Deployment api" and the pod's own part."""
    found = []
    for each in objects:
        name = f"{each['kind']} {each['metadata']['name']}"
        if each["kind"] == "Pod":
            found.append((name, each))
        elif each["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
            found.append((name, each["spec"]["template"]))
        elif each["kind"] == "CronJob":
            found.append((name, each["spec"]["jobTemplate"]["spec"]["template"]))
    return found


@cache
def _with_dependencies(chart: str) -> Path:
    """A copy of the charts with this one's dependencies in place, so that the tree stays as it is."""
    copy = _copy_of_charts()
    if (copy / chart / "Chart.lock").exists() or yaml.safe_load((copy / chart / "Chart.yaml").read_text()).get(
        "dependencies"
    ):
        subprocess.run([tool("helm"), "dependency", "build", copy / chart], check=True, capture_output=True, timeout=60)
    return copy / chart


@cache
def _copy_of_charts() -> Path:
    target = Path(mkdtemp(prefix="taskhub-charts-")) / "charts"
    shutil.copytree(CHARTS, target, ignore=shutil.ignore_patterns("*.tgz", ".*_cache"), symlinks=False)
    return target


def external(chart: str, *options: str) -> list[Manifest]:
    """The chart's objects where the servers are outside the cluster, with further options of Helm."""
    return manifests(template(chart, ["--values", str(Rendering(chart, "external").values_file), *options]))


def mounting(objects: Iterable[Manifest], volume: str) -> dict[str, Manifest]:
    """The specs of the pods that have a volume, by their owner's name."""
    return {
        name.split()[1]: pod["spec"]
        for name, pod in pods(objects)
        if any(each["name"] == volume for each in pod["spec"].get("volumes", []))
    }
