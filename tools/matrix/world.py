"""What there is to point at: cases, alerts, tests, runbooks, panels and metrics, read from where they are made."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from observability.dashboards.reading import committed_pages
from prometheus_client.metrics import MetricWrapperBase

from taskhub_core.telemetry import metrics
from taskhub_local.faults.budgets import BUDGETS, Budget


@dataclass(frozen=True, slots=True)
class World:
    """Everything a cell may name."""

    budgets: Mapping[str, Budget]
    """The fault cases."""
    e2e: Mapping[str, Budget]
    """The e2e cases."""
    alerts: Mapping[str, Mapping[str, Any]]
    """Each rule, by the alert's name."""
    promtool: Mapping[str, str]
    """The text of each promtool test, by file name."""
    runbooks: frozenset[str]
    panels: frozenset[str]
    metrics: frozenset[str]
    tests: frozenset[str]
    """Paths of test files, which stand for cases where no case is needed."""


def look(root: Path) -> World:
    """Read the repository."""
    rules = root / "observability" / "rules"
    return World(
        budgets=BUDGETS,
        e2e=dict(_e2e_cases(root / "tests" / "e2e" / "cases")),
        alerts={rule["alert"]: rule for rule in alerting_rules(rules)},
        promtool={path.name: path.read_text() for path in sorted((rules / "tests").glob("*.yaml"))},
        runbooks=frozenset(path.stem for path in (root / "observability" / "runbooks").glob("*.md")),
        panels=frozenset(f"{page.name}/{panel.title}" for page in committed_pages() for panel in page.panels),
        metrics=frozenset(_own_metrics()) | frozenset(_foreign_metrics(root / "observability" / "exporters.yaml")),
        tests=frozenset(_tests(root)),
    )


def alerting_rules(folder: Path) -> Iterator[dict[str, Any]]:
    """Each alerting rule of the rule files."""
    for path in sorted(folder.glob("*.yaml")):
        document = yaml.load(path.read_text(), Loader=yaml.CSafeLoader) or {}
        for group in document.get("groups", []):
            yield from (rule for rule in group["rules"] if "alert" in rule)


def _e2e_cases(folder: Path) -> Iterator[tuple[str, Budget]]:
    """Name and budget of each ClusterCase(...): read, not imported, so that the linter needs no Kubernetes client."""
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ClusterCase":
                given = {one.arg: one.value.value for one in node.keywords if isinstance(one.value, ast.Constant)}
                seconds = given["budget_seconds"]
                assert isinstance(seconds, (int, float)), f"{path}: a budget is written as a number"
                yield str(given["name"]), Budget(seconds, str(given["counted_from"]))


def _tests(root: Path) -> Iterator[str]:
    for folder in ("apps", "libs", "tests"):
        yield from (str(path.relative_to(root)) for path in (root / folder).rglob("test_*.py"))


def _own_metrics() -> Iterator[str]:
    for one in vars(metrics).values():
        if isinstance(one, MetricWrapperBase):
            for family in one.describe():
                yield from (family.name, f"{family.name}_total", f"{family.name}_bucket", f"{family.name}_count")


def _foreign_metrics(path: Path) -> Iterator[str]:
    """What other programs emit, by the list of those that rules and dashboards rest on."""
    yield from ("ALERTS", "up")  # Prometheus's own
    for exporter in yaml.load(path.read_text(), Loader=yaml.CSafeLoader).values():
        yield from exporter["metrics"]
