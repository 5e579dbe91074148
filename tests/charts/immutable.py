"""What Kubernetes will not let an upgrade change, of each released chart; run it to write down a new release."""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.charts.rendering import CHARTS, Manifest, Rendering, manifests, render

RELEASED = Path(__file__).with_name("released")
_VALUES = {"api": "ha", "worker": "ha", "sqs-consumer": "ha", "backing": "kind"}


def immutable_fields(each: Manifest) -> dict[str, Any]:
    """The fields of an object that an update must leave as they are; other kinds have none."""
    spec = each.get("spec", {})
    match each["kind"]:
        case "Deployment" | "DaemonSet":
            return {"selector": spec["selector"]}
        case "StatefulSet":
            mutable = {
                "replicas",
                "template",
                "updateStrategy",
                "persistentVolumeClaimRetentionPolicy",
                "minReadySeconds",
            }
            return {name: value for name, value in spec.items() if name not in mutable}
        case "Service":
            return {"headless": spec.get("clusterIP") == "None"}
        case "PersistentVolumeClaim":
            return {name: value for name, value in spec.items() if name != "resources"}
        case "Job":
            hook = each["metadata"].get("annotations", {}).get("helm.sh/hook-delete-policy", "")
            return {} if "before-hook-creation" in hook else {"template": spec["template"]}
        case "PodDisruptionBudget" | "ConfigMap" | "Secret":
            return {"immutable": each.get("immutable", False)} if "immutable" in each else {}
        case _:
            return {}


def fields_of(chart: str) -> dict[str, dict[str, Any]]:
    """Those fields of every object of a chart, as this tree has it."""
    made = manifests(render(Rendering(chart, _VALUES[chart])))
    found = {f"{each['kind']} {each['metadata']['name']}": immutable_fields(each) for each in made}
    return {name: fields for name, fields in sorted(found.items()) if fields}


def last_release(chart: str) -> dict[str, dict[str, Any]]:
    """Those fields as the last release had them."""
    releases = sorted(
        RELEASED.glob(f"{chart}-*.json"), key=lambda path: [int(n) for n in path.stem.split("-")[-1].split(".")]
    )
    return dict(json.loads(releases[-1].read_text()))


if __name__ == "__main__":
    RELEASED.mkdir(exist_ok=True)
    for name in sys.argv[1:] or _VALUES:
        version = yaml.safe_load((CHARTS / name / "Chart.yaml").read_text())["version"]
        (RELEASED / f"{name}-{version}.json").write_text(json.dumps(fields_of(name), indent=1, sort_keys=True) + "\n")
