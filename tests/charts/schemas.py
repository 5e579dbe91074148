"""JSON schemas of Kubernetes and of the custom resources that the charts use, made from what their Go modules carry."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.cluster.golang import go
from tests.e2e.cluster.shell import run
from tests.e2e.cluster.store import Artefact, ensure

type Schema = dict[str, Any]

KUBERNETES = ("v1.34.4", "v1.35.4", "v1.36.3")
"""The three Kubernetes versions that every manifest must be valid for: the cluster's own, and the two before it."""

LOCATION = "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
"""kubeconform's pattern for the files in a folder; the group of Pod and its like is `v1`, as kubeconform has it."""

_SELF = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:6]
_PREFIX = "#/definitions/"


@dataclass(frozen=True)
class CustomResources:
    """A module that has CustomResourceDefinitions among its files."""

    module: str
    version: str
    folder: str


CUSTOM_RESOURCES = (
    CustomResources("github.com/prometheus-operator/prometheus-operator", "v0.85.0", "example/prometheus-operator-crd"),
    CustomResources("github.com/kedacore/keda/v2", "v2.21.0", "config/crd/bases"),
)


def kubernetes_schemas(version: str) -> Path:
    """The folder with a strict schema for every kind of this Kubernetes version. Raises ClusterError without Go."""

    def make(target: Path, scratch: Path) -> None:
        swagger = _module("k8s.io/kubernetes", version, scratch) / "api" / "openapi-spec" / "swagger.json"
        definitions = json.loads(swagger.read_text())["definitions"]
        for group, kind, api_version, schema in _kinds(definitions):
            _write(target, group or api_version, kind, api_version, schema)

    return ensure(Artefact("kubernetes-schemas", f"{version}-{_SELF}"), make)


def custom_schemas(sources: Sequence[CustomResources] = CUSTOM_RESOURCES) -> Path:
    """The folder with a strict schema for every custom resource of these modules. Raises ClusterError without Go."""
    versions = "-".join(source.version for source in sources)

    def make(target: Path, scratch: Path) -> None:
        for source in sources:
            folder = _module(source.module, source.version, scratch) / source.folder
            for path in sorted(folder.glob("*.yaml")):
                _write_custom(target, path.read_text())

    return ensure(Artefact("custom-schemas", f"{versions}-{_SELF}"), make)


def _module(module: str, version: str, scratch: Path) -> Path:
    return Path(json.loads(run([go(), "mod", "download", "-json", f"{module}@{version}"], cwd=scratch))["Dir"])


def _kinds(definitions: Schema) -> Iterator[tuple[str, str, str, Schema]]:
    strict = {name: _strict(definition) for name, definition in definitions.items()}
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            reached = _reached(name, strict)
            schema = {"$ref": _PREFIX + name, "definitions": {each: strict[each] for each in reached}}
            yield kind["group"], kind["kind"], kind["version"], schema


def _reached(name: str, definitions: Schema) -> set[str]:
    reached, ahead = set[str](), [name]
    while ahead:
        current = ahead.pop()
        if current not in reached:
            reached.add(current)
            ahead += re.findall(rf'"\$ref": "{_PREFIX}([^"]+)"', json.dumps(definitions[current]))
    return reached


class _Loader(yaml.CSafeLoader):
    """Takes a lone `=` for text, as YAML 1.2 does: a label matcher is one."""


_Loader.yaml_implicit_resolvers = {
    first: resolvers for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items() if first != "="
}


def _write_custom(target: Path, text: str) -> None:
    for document in yaml.load_all(text, _Loader):
        if not document or document.get("kind") != "CustomResourceDefinition":
            continue
        spec = document["spec"]
        for version in spec["versions"]:
            schema = _strict(version["schema"]["openAPIV3Schema"])
            _write(target, spec["group"], spec["names"]["kind"], version["name"], schema)


def _write(target: Path, group: str, kind: str, api_version: str, schema: Schema) -> None:
    path = target / group / f"{kind.lower()}_{api_version}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(schema))


def _strict(schema: Any) -> Any:
    """The same schema in JSON Schema's words, in which a field that nobody has defined is an error."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    if "resource.Quantity" in schema.get("$ref", ""):
        return {"type": ["number", "string"]}
    strict = {name: _strict(value) for name, value in schema.items() if name != "format"}
    open_ended = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    if "properties" in schema and schema.get("type") == "object" and not open_ended:
        strict["additionalProperties"] = False
    return strict
