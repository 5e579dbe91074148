"""Writes observability/metrics.yaml, the contract with rules and dashboards, from the metrics that the code defines.

Each metric has its name, type, labels, unit and meaning; each label says what bounds its values. `--check` only says
whether the file is as it should be.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.metrics import MetricWrapperBase

from taskhub_core.telemetry import metrics

CONTRACT = Path(__file__).resolve().parent.parent / "observability" / "metrics.yaml"
UNITS = ("seconds", "bytes", "ratio", "documents", "connections", "messages")
LABELS = {
    "against": "the other clock: postgresql",
    "breaker": "the circuit breakers in the code",
    "broker": "redis",
    "dependency": "what the platform depends on: postgresql, redis, sqs, elasticsearch",
    "difference": "the kinds of drift in the code",
    "found": "what a look-up after an unknown COMMIT can find",
    "index": "the alias of the search index: one",
    "kind": "the job kinds in the code",
    "limit": "the rate limits in the code",
    "loop": "the dispatcher's loops",
    "method": "seven HTTP methods, and `other`",
    "operation": "the writes of a job that are fenced",
    "outcome": "the ways in which it can end, in the code",
    "place": "postgresql, broker",
    "pool": "the pools in the code",
    "queue": "the queues in the settings: jobs, events and their dead letters",
    "reason": "the reasons in the code",
    "route": "the templates of the API's routes, and `unmatched`; never a path with an id",
    "source": "elasticsearch, postgresql",
    "state": "the states in the code",
    "status": "HTTP status codes that the API answers with",
    "table": "the tables that retention cleans",
    "visibility": "visible, in_flight, delayed",
}


def main() -> int:
    """Write the file, or with --check compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file would change")
    wanted = render()
    if not parser.parse_args().check:
        CONTRACT.write_text(wanted)
        return 0
    if CONTRACT.exists() and CONTRACT.read_text() == wanted:
        return 0
    sys.stderr.write("observability/metrics.yaml does not follow from the code: run tools/metrics_contract.py\n")
    return 1


def render() -> str:
    """Return what should be in the file."""
    content = {"metrics": [describe(metric) for metric in defined()], "labels": used_labels()}
    head = "# Made by tools/metrics_contract.py from libs/taskhub-core/src/taskhub_core/telemetry/metrics.py.\n"
    return head + yaml.safe_dump(content, sort_keys=False, width=118, allow_unicode=True)


def defined() -> Iterator[MetricWrapperBase]:
    """Yield every metric of the platform's own code, in the order of the code."""
    for value in vars(metrics).values():
        if isinstance(value, MetricWrapperBase):
            yield value


def describe(metric: MetricWrapperBase) -> dict[str, Any]:
    """Return one entry. A counter's name ends in _total; the series of a histogram add _bucket, _sum and _count."""
    family = next(iter(metric.describe()))
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return {
        "name": name,
        "type": family.type,
        "labels": list(metric._labelnames),
        "unit": next((unit for unit in UNITS if unit in name.split("_")), "1"),
        "meaning": family.documentation,
    }


def used_labels() -> dict[str, str]:
    """Return what bounds each label. Raises KeyError for a label that nobody has thought about."""
    names = sorted({label for metric in defined() for label in metric._labelnames})
    return {name: LABELS[name] for name in names}


if __name__ == "__main__":
    sys.exit(main())
