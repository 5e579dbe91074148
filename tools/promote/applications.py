"""Makes an environment's Applications from the ApplicationSets, as Argo CD does for a cluster with that label.

Helm's template engine takes the place of Argo CD's: both are Go's templates with Sprig's functions.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from tests.e2e.cluster.tools import tool
from tools.promote.errors import PromotionError

type Manifest = dict[str, Any]
type Read = Callable[[str], str]
"""Gives the text of a file by its path in the repository."""

SERVER = "https://kubernetes.default.svc"
_CHART = "apiVersion: v2\nname: template\nversion: 0.0.0\n"
_EXPRESSION = re.compile(r"{{(.*?)}}", re.DOTALL)
_FIELD = re.compile(r"(?<![\w)\"])\.(\w+(?:\.\w+)*)")


def generate(application_set: Manifest, environment: str, read: Read) -> list[Manifest]:
    """The Applications that this ApplicationSet makes in the cluster of an environment.

    Raises PromotionError if a template names a parameter that no generator gives.
    """
    spec = application_set["spec"]
    return [
        _application(spec, parameters)
        for generator in spec["generators"]
        for parameters in _parameters(generator, _cluster(environment), read)
    ]


def _cluster(environment: str) -> Manifest:
    """What the cluster generator knows of the cluster (argocd/bootstrap/*.yaml)."""
    labels = {"argocd.argoproj.io/secret-type": "cluster", "environment": environment}
    return {"name": "in-cluster", "server": SERVER, "metadata": {"labels": labels}}


def _parameters(generator: Manifest, cluster: Manifest, read: Read) -> Iterator[Manifest]:
    (kind,) = generator
    match kind:
        case "matrix":
            one, other = generator["matrix"]["generators"]
            for first in _parameters(one, cluster, read):
                for second in _parameters(other, cluster, read):
                    yield {**second, **first}
        case "clusters":
            if _selects(generator["clusters"]["selector"], cluster["metadata"]["labels"]):
                yield {**cluster, "values": generator["clusters"].get("values", {})}
        case "git":
            for file in generator["git"]["files"]:
                yield yaml.safe_load(read(file["path"]))
        case "list":
            yield from generator["list"]["elements"]
        case _:
            raise PromotionError(f"the generator {kind} is not known here")


def _selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels", {})
    among = selector.get("matchExpressions", [])
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"] for each in among
    )


def _application(spec: Manifest, parameters: Manifest) -> Manifest:
    template = evaluate(yaml.safe_dump(spec["template"], width=100_000), parameters)
    patch = evaluate(spec.get("templatePatch", ""), parameters)
    head = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"}
    return _merged({**head, **yaml.safe_load(template)}, yaml.safe_load(patch) or {})


def _merged(one: Manifest, other: Manifest) -> Manifest:
    both = {key: _merged(one[key], value) for key, value in other.items() if isinstance(one.get(key), dict)}
    return {**one, **other, **both}


def evaluate(template: str, parameters: Manifest) -> str:
    """What a Go template becomes with these parameters. Raises PromotionError if one is missing or Helm refuses."""
    for expression in _EXPRESSION.findall(template):
        for path in _FIELD.findall(expression):
            _find(path, parameters)
    with TemporaryDirectory(prefix="taskhub-template-") as folder:
        chart = Path(folder)
        (chart / "templates").mkdir()
        (chart / "Chart.yaml").write_text(_CHART)
        (chart / "values.yaml").write_text(json.dumps(parameters))
        (chart / "templates" / "it.yaml").write_text(f"{{{{- with .Values }}}}\n{template}\n{{{{- end }}}}\n")
        command = [str(tool("helm")), "template", "it", str(chart)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if result.returncode != 0:
        raise PromotionError(result.stderr.strip())
    return result.stdout


def _find(path: str, parameters: Manifest) -> None:
    """As `missingkey=error`: Helm itself would write nothing in the place of a parameter that is missing."""
    found: Any = parameters
    for key in path.split("."):
        if not isinstance(found, dict) or key not in found:
            raise PromotionError(f"a template names .{path}, which no generator gives")
        found = found[key]
