"""Nothing is watched that nobody emits: every metric of a rule or a dashboard is ours, an exporter's, or recorded."""

import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from observability.dashboards.reading import committed_pages, metric_names

from tests.observability.rules.reading import ROOT, rules

CONTRACT: dict[str, Any] = yaml.safe_load((ROOT / "observability" / "metrics.yaml").read_text())
EXPORTERS: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "observability" / "exporters.yaml").read_text())
# What Prometheus adds to whatever it scrapes.
_TARGET_LABELS = {"job", "instance", "namespace", "pod", "container", "role", "le"}


def _queries() -> Iterator[tuple[str, str]]:
    for file, rule in rules():
        yield f"{file}: {rule.get('alert') or rule['record']}", rule["expr"]
    for page in committed_pages():
        for panel in page.panels:
            for query in panel.queries:
                yield f"dashboard {page.name}: {panel.title}", query


QUERIES = list(_queries())
RECORDED = {rule["record"] for _, rule in rules() if "record" in rule}
EXPORTED = {metric for exporter in EXPORTERS.values() for metric in exporter["metrics"]}


def _series(metric: dict[str, Any]) -> Iterator[str]:
    if metric["type"] == "histogram":
        yield from (metric["name"] + suffix for suffix in ("_bucket", "_sum", "_count"))
    else:
        yield metric["name"]


OWN = {name: set(metric["labels"]) for metric in CONTRACT["metrics"] for name in _series(metric)}


def test_the_contract_is_what_the_code_defines() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "metrics_contract.py"))
    assert tool["render"]() == (ROOT / "observability" / "metrics.yaml").read_text(), "run tools/metrics_contract.py"


def test_the_rules_of_objectives_are_what_the_objectives_say() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "slo_rules.py"))
    for path, content in tool["wanted"]().items():
        assert path.read_text() == content, "run tools/slo_rules.py"


@pytest.mark.parametrize("metric", [pytest.param(one, id=one["name"]) for one in CONTRACT["metrics"]])
def test_a_metric_is_named_as_prometheus_wants_it_and_says_what_it_means(metric: dict[str, Any]) -> None:
    assert re.fullmatch(r"taskhub(_[a-z0-9]+)+", metric["name"])
    assert metric["name"].endswith("_total") == (metric["type"] == "counter")
    assert metric["meaning"].endswith(".")


def test_every_query_names_metrics_that_somebody_emits() -> None:
    known = {*OWN, *EXPORTED, *RECORDED}
    unknown = {where: names for where, query in QUERIES if (names := set(metric_names(query)) - known)}
    assert not unknown


def test_no_exporter_is_asked_for_what_nobody_looks_at() -> None:
    assert {name for _, query in QUERIES for name in metric_names(query)} >= EXPORTED


def test_every_selector_picks_by_labels_that_the_metric_has() -> None:
    wrong = [
        f"{where}: {name} has no label {label}"
        for where, query in QUERIES
        for name, selector in re.findall(r"\b(taskhub_\w+)\{([^}]*)\}", query.replace("{job_id}", ""))
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", selector)
        if label not in OWN.get(name, set()) | _TARGET_LABELS
    ]
    assert not wrong
