"""Renders an Application's sources as Argo CD's repository server does: `helm template`, or the files as they are."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from tests.e2e.cluster.tools import tool
from tools.promote.errors import PromotionError

type Manifest = dict[str, Any]


def render(application: Manifest, tree: Path) -> dict[str, Manifest]:
    """Every object of an Application by kind, namespace and name, from a tree of files at its revision.

    Raises PromotionError with what Helm said if it refuses.
    """
    namespace = application["spec"]["destination"]["namespace"]
    objects: dict[str, Manifest] = {}
    for source in application["spec"]["sources"]:
        for each in yaml.safe_load_all(_text(source, namespace, tree)):
            if each:
                place = each["metadata"].get("namespace", namespace)
                objects[f"{each['kind']} {place}/{each['metadata']['name']}"] = each
    return objects


def _text(source: Manifest, namespace: str, tree: Path) -> str:
    folder = tree / source["path"]
    if not folder.is_dir():
        raise PromotionError(f"{source['targetRevision']} has no folder {source['path']}")
    if "helm" not in source:
        return "\n---\n".join(path.read_text() for path in sorted(folder.glob("*.yaml")))
    if yaml.safe_load((folder / "Chart.yaml").read_text()).get("dependencies"):
        _helm("dependency", "build", str(folder))
    options = source_options(source, namespace, tree)
    return _helm("template", source["helm"]["releaseName"], str(folder), *options)


def source_options(source: Manifest, namespace: str, tree: Path) -> list[str]:
    """The options of `helm template` that stand for a source with a chart.

    Values files that may be missing are left out if they are. The source's own values have the last word.
    """
    helm = source["helm"]
    options = ["--namespace", namespace, *(["--skip-tests"] if helm.get("skipTests") else [])]
    for name in helm.get("valueFiles", []):
        file = tree / name.removeprefix("/")
        if file.exists() or not helm.get("ignoreMissingValueFiles"):
            options += ["--values", str(file)]
    for path, value in _leaves(helm.get("valuesObject", {})):
        options += ["--set-json", f"{path}={json.dumps(value)}"]
    return options


def _leaves(values: Manifest, above: str = "") -> Iterator[tuple[str, Any]]:
    """Each value and where it is in Helm's words: one option a value, since an option replaces all that is below it."""
    for key, value in values.items():
        path = above + key.replace(".", r"\.")
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value


def _helm(*arguments: str) -> str:
    result = subprocess.run([tool("helm"), *arguments], capture_output=True, text=True, timeout=120, check=False)
    if result.returncode != 0:
        raise PromotionError(f"helm {arguments[0]}: {result.stderr.strip()}")
    return result.stdout
