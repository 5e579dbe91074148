"""Writes what Terraform has made of an environment as values of the charts: argocd/envs/ENVIRONMENT/terraform/*.yaml.

    terraform -chdir=infra/terraform/envs/staging output -json | python -m tools.bridge staging

The files hold no secret. They are committed, so that what is rendered follows from the repository alone.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
_HEAD = "# Written by `python -m tools.bridge {}` from Terraform's outputs. Change infra/terraform, not this file.\n"

type Values = dict[str, Any]


class BadOutputs(Exception):
    """What Terraform gave is not this environment's."""


def values_by_chart(outputs: Mapping[str, Any], environment: str) -> dict[str, Values]:
    """The values of each chart. Raises BadOutputs if an output is missing, or is another environment's."""
    try:
        cluster = outputs["cluster"]["value"]["name"]
        charts: dict[str, Values] = outputs["chart_values"]["value"]
        queue_url = outputs["queue_url"]["value"]
        heartbeat = outputs["heartbeat_topic_arn"]["value"]
    except (KeyError, TypeError) as error:
        raise BadOutputs(f"no output {error}: apply infra/terraform/envs/{environment} first") from error
    if cluster != f"taskhub-{environment}":
        raise BadOutputs(f"these are the outputs of {cluster}, not of taskhub-{environment}")
    consumer = {**charts["sqs-consumer"], "keda": {"queueDepth": {"queueUrl": queue_url}}}
    alerts = {"alertmanager": {"heartbeat": {"topicArn": heartbeat}}}
    return {**charts, "sqs-consumer": consumer, "observability": alerts}


def write(outputs: Mapping[str, Any], environment: str, envs: Path = ROOT / "argocd" / "envs") -> list[Path]:
    """Write a file a chart and return their paths. Raises BadOutputs as `values_by_chart` does."""
    folder = envs / environment / "terraform"
    if not folder.is_dir():
        raise BadOutputs(f"{environment} is not made by Terraform: there is no folder {folder}")
    written = []
    for chart, values in sorted(values_by_chart(outputs, environment).items()):
        path = folder / f"{chart}.yaml"
        path.write_text(_HEAD.format(environment) + yaml.safe_dump(values, width=120))
        written.append(path)
    return written


def main() -> int:
    """Read `terraform output -json` from standard input."""
    parser = argparse.ArgumentParser(prog="python -m tools.bridge", description=__doc__.splitlines()[0])
    parser.add_argument("environment")
    arguments = parser.parse_args()
    try:
        for path in write(json.load(sys.stdin), arguments.environment):
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    except (BadOutputs, json.JSONDecodeError) as error:
        sys.stderr.write(f"bridge: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
