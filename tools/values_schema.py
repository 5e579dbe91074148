"""Writes each chart's values.schema.json from its values.yaml, so that a value is described in one place only.

A value's comment is its description (`# -- ...`, which helm-docs reads too), its default gives its type, and a line
`# @schema {...}` before the description says what else must hold: JSON Schema, or `{"ref": "quantity"}` for one of
the definitions below, or `{"settings": "module:Class"}` for variables of an app. Unknown keys are refused everywhere
but where the default is an empty object.

    python tools/values_schema.py           writes them
    python tools/values_schema.py --check   says whether they are as they would be written
"""

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

CHARTS = Path(__file__).parent.parent / "charts"
CHART_NAMES = ("api", "worker", "sqs-consumer", "backing", "observability")

type Schema = dict[str, Any]

_QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
_PERIOD = {"type": "integer", "minimum": 1, "description": "Seconds."}
DEFINITIONS: dict[str, Schema] = {
    "quantity": {
        "description": "A Kubernetes quantity, such as 250m or 128Mi.",
        "type": ["string", "number"],
        "pattern": _QUANTITY,
        "exclusiveMinimum": 0,
    },
    "duration": {"description": "A duration, such as 15s.", "type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
    "resources": {
        "description": "Requests and limits of a container.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {
                "description": what,
                "type": "object",
                "propertyNames": {"pattern": r"^[a-z0-9./-]+$"},
                "additionalProperties": {"$ref": "#/definitions/quantity"},
            }
            for name, what in (("requests", "What is promised."), ("limits", "What may be taken at most."))
        },
    },
    "probe": {
        "description": "The times of a probe.",
        "type": "object",
        "additionalProperties": False,
        "required": ["periodSeconds", "timeoutSeconds", "failureThreshold"],
        "properties": {
            "periodSeconds": {**_PERIOD, "description": "How often it is asked."},
            "timeoutSeconds": {**_PERIOD, "description": "How long the answer may take."},
            "failureThreshold": {"type": "integer", "minimum": 1, "description": "So many failures in a row count."},
            "initialDelaySeconds": {"type": "integer", "minimum": 0, "description": "How long to wait before."},
        },
    },
    "behavior": {
        "description": "How fast an HPA scales, as in autoscaling/v2.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            way: {
                "description": f"How fast it scales {way.removeprefix('scale').lower()}.",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "stabilizationWindowSeconds": {
                        "description": "How long it looks back.",
                        "type": "integer",
                        "minimum": 0,
                        "maximum": 3600,
                    },
                    "selectPolicy": {"description": "Which policy wins.", "enum": ["Max", "Min", "Disabled"]},
                    "tolerance": {"$ref": "#/definitions/quantity"},
                    "policies": {
                        "description": "How much in how long.",
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["type", "value", "periodSeconds"],
                            "properties": {
                                "type": {"description": "What `value` counts.", "enum": ["Pods", "Percent"]},
                                "value": {"description": "How much.", "type": "integer", "minimum": 1},
                                "periodSeconds": {**_PERIOD, "description": "In how long.", "maximum": 1800},
                            },
                        },
                    },
                },
            }
            for way in ("scaleUp", "scaleDown")
        },
    },
    "queue": {
        "description": "A queue of its own.",
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "kinds"],
        "properties": {
            "name": {
                "description": "The end of its name, and of its Deployment's.",
                "type": "string",
                "pattern": "^[a-z][a-z0-9-]{0,20}$",
            },
            "kinds": {
                "description": "The kinds of its jobs.",
                "type": "array",
                "minItems": 1,
                "items": {"type": "string", "pattern": "^[a-z][a-z0-9_.-]*$"},
            },
            "worker": {
                "description": "What is otherwise than in `worker`.",
                "allOf": [{"$ref": "#/properties/worker"}],
            },
        },
    },
    "spread": {
        "description": "One rule of spreading pods.",
        "type": "object",
        "additionalProperties": False,
        "required": ["topologyKey", "maxSkew", "whenUnsatisfiable"],
        "properties": {
            "topologyKey": {"description": "The node label to spread over.", "type": "string", "minLength": 1},
            "maxSkew": {"description": "How uneven it may be.", "type": "integer", "minimum": 1},
            "whenUnsatisfiable": {
                "description": "Whether a pod that would break the rule waits.",
                "enum": ["ScheduleAnyway", "DoNotSchedule"],
            },
        },
    },
    "flow": {
        "description": "One allowed flow of traffic.",
        "type": "object",
        "additionalProperties": False,
        "required": ["peers", "ports"],
        "properties": {
            "peers": {
                "description": "The other side, as in a NetworkPolicy. None: anyone.",
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "minProperties": 1,
                    "properties": {
                        "podSelector": {"description": "Pods by label.", "type": "object"},
                        "namespaceSelector": {"description": "Namespaces by label.", "type": "object"},
                        "ipBlock": {"description": "Addresses.", "type": "object", "required": ["cidr"]},
                    },
                },
            },
            "ports": {
                "description": "Ports of the side that is called.",
                "type": "array",
                "minItems": 1,
                "items": {"type": "integer", "minimum": 1, "maximum": 65535},
            },
        },
    },
}


class Undescribed(Exception):
    """A value without a description, or with one that cannot be read."""


class ChartSchema:
    """The schema of one chart."""

    def __init__(self, chart: str) -> None:
        self._chart = chart
        text = (CHARTS / chart / "values.yaml").read_text()
        self._lines = text.splitlines()
        root = yaml.compose(text)
        if not isinstance(root, yaml.MappingNode):
            raise Undescribed(f"{chart}/values.yaml is not a mapping")
        self._used: set[str] = set()
        schema = self._object(root)
        # Helm hands every chart these as well.
        schema["properties"] |= {
            "global": {"description": "What Helm shares between charts. Not used.", "type": "object"},
            "common": {"description": "The library's own values. It has none.", "type": "object"},
        }
        definitions = {name: DEFINITIONS[name] for name in sorted(self._used_definitions())}
        self.document: Schema = {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": f"Values of the chart {chart}",
            **schema,
            "definitions": definitions,
        }

    def _used_definitions(self) -> set[str]:
        found, waiting = set[str](), set(self._used)
        while waiting:
            name = waiting.pop()
            found.add(name)
            waiting |= set(re.findall(r"#/definitions/(\w+)", json.dumps(DEFINITIONS[name]))) - found
        return found

    def _object(self, node: yaml.MappingNode) -> Schema:
        properties = {key.value: self._value(key, value) for key, value in node.value}
        return {"type": "object", "additionalProperties": False, "properties": properties}

    def _value(self, key: yaml.ScalarNode, node: yaml.Node) -> Schema:
        description, extra = self._comment(key)
        if "ref" in extra:
            self._used.add(extra["ref"])
            return {"description": description, "allOf": [{"$ref": f"#/definitions/{extra['ref']}"}]}
        if "settings" in extra:
            return {"description": description, **_settings(self._chart, extra["settings"].split())}
        if isinstance(node, yaml.MappingNode) and node.value:
            return self._object(node)
        if not description:
            raise Undescribed(f"{self._chart}/values.yaml, line {key.start_mark.line + 1}: {key.value} has no comment")
        if "items" in extra and "ref" in extra["items"]:
            self._used.add(extra["items"]["ref"])
            extra = {**extra, "items": {"$ref": f"#/definitions/{extra['items']['ref']}"}}
        return {"description": description, **_type_of(node), **extra}

    def _comment(self, key: yaml.ScalarNode) -> tuple[str, Schema]:
        """The description and the further rules that stand before a key."""
        comment: list[str] = []
        for line in reversed(self._lines[: key.start_mark.line]):
            if not line.lstrip().startswith("#"):
                break
            comment.insert(0, line.strip().removeprefix("#").strip())
        extra: Schema = {}
        described: list[str] = []
        for line in comment:
            if line.startswith("@schema "):
                extra |= json.loads(line.removeprefix("@schema "))
            elif line.startswith("-- "):
                described = [line.removeprefix("-- ")]
            elif described:
                described.append(line)
        return " ".join(described), extra


def _type_of(node: yaml.Node) -> Schema:
    if isinstance(node, yaml.MappingNode):
        return {"type": "object"}
    if isinstance(node, yaml.SequenceNode):
        return {"type": "array"}
    kinds = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}
    kind = kinds[node.tag.rpartition(":")[2]]
    return {"type": kind}


def _settings(chart: str, classes: list[str]) -> Schema:
    """The variables that may be set freely: all of the app's settings but those that the chart sets from values."""
    templates = [*(CHARTS / "common/templates").glob("*.tpl"), *(CHARTS / chart / "templates").glob("*.tpl")]
    taken = set(re.findall(r"TASKHUB_[A-Z_]+", "\n".join(path.read_text() for path in templates)))
    # The chart's ports and addresses are what Services and probes look for.
    taken |= {"TASKHUB_API_HOST", "TASKHUB_METRICS_HOST", "TASKHUB_WORKER_PROCESSES", "TASKHUB_JOB_QUEUES"}
    # Only read there.
    taken -= {"TASKHUB_REQUEST_DEADLINE_SECONDS", "TASKHUB_JOB_QUEUE_NAME"}
    properties: dict[str, Schema] = {}
    for name in classes:
        module, _, attribute = name.partition(":")
        settings = getattr(importlib.import_module(module), attribute)
        for field, schema in settings.model_json_schema()["properties"].items():
            variable = f"TASKHUB_{field.upper()}"
            if variable not in taken:
                properties[variable] = _variable(schema)
    return {"type": "object", "additionalProperties": False, "properties": dict(sorted(properties.items()))}


def _variable(schema: Schema) -> Schema:
    """A setting's schema as that of its variable: lists and objects are JSON texts there."""
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    chosen = options[0]
    kept = {name: chosen[name] for name in ("type", "enum", "minimum", "exclusiveMinimum", "maximum") if name in chosen}
    if kept.get("type") in {"array", "object"}:
        kept = {"type": "string"}
    return {"description": schema["description"], **kept}


def main() -> int:
    """Writes or checks every schema."""
    stale = []
    for chart in CHART_NAMES:
        path = CHARTS / chart / "values.schema.json"
        text = json.dumps(ChartSchema(chart).document, indent=2) + "\n"
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(str(path.relative_to(CHARTS.parent)))
    if stale:
        sys.stderr.write(f"Not up to date: {', '.join(stale)}. Run: make chart-docs\n")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
