"""Asks kubeconform whether manifests are valid to the last field, by the schemas that are made here."""

import subprocess
from collections.abc import Sequence

from tests.charts.schemas import CUSTOM_RESOURCES, LOCATION, CustomResources, custom_schemas, kubernetes_schemas
from tests.e2e.cluster.tools import tool


def problems(text: str, version: str, sources: Sequence[CustomResources] = CUSTOM_RESOURCES) -> str:
    """What kubeconform has to say against these manifests; empty if nothing. `sources` define the custom resources."""
    command = [tool("kubeconform"), "-strict", "-kubernetes-version", version.removeprefix("v")]
    for folder in (kubernetes_schemas(version), custom_schemas(sources)):
        command += ["-schema-location", f"{folder}/{LOCATION}"]
    result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    return "" if result.returncode == 0 else result.stdout + result.stderr
