"""Ordinary load and nothing broken: no alert fires, no request fails, and every panel of the dashboards has data."""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml
from observability.dashboards.reading import Panel, committed_pages, metric_names
from observability.render.asking import Prometheus, Span

from taskhub_local.faults.stage import Stage
from tests.alarms.conftest import Watched
from tests.alarms.load import Loaded, under_load
from tests.e2e import watch
from tests.e2e.case import PLAN

_HOUR_SECONDS = 600.0
"""At 13 requests a second: what 2 a second are in an hour."""
_EXPORTERS = yaml.safe_load((Path(__file__).parents[2] / "observability" / "exporters.yaml").read_text())
_NOT_IN_KIND = frozenset(name for one in _EXPORTERS.values() if one["where"] == "EKS" for name in one["metrics"])
_EMPTY_IN_KIND = {
    "postgresql/Age of the archive": "PostgreSQL in kind has no archive",
    "postgresql/Room on the volume": "kind's volumes are folders of this machine: the kubelet measures none",
    "kubernetes/Room on the volumes": "as above",
    "jobs/Delay of the rescue": "no job was rescued",
}
_ONLY_WHAT_IS_WRONG = frozenset(
    {
        "kubernetes/Containers that wait, by reason",
        "kubernetes/Last ends of containers, by reason",
        "kubernetes/Restarts by container",
    }
)
_FAILURES = re.compile(r'status=~"5|outcome!="succeeded"|class="5xx"')
_PARTS_OF_A_METRIC = re.compile(r"_(total|bucket|count|sum)$")


@dataclass(frozen=True, slots=True)
class Hour:
    """What the load came to, and the alerts that fired."""

    loaded: Loaded
    fired: tuple[watch.Fired, ...]


async def nothing(stage: Stage) -> float:
    """Break nothing, for a while."""
    since = stage.breaks(f"nothing, for {_HOUR_SECONDS:g} s")
    await stage.last(_HOUR_SECONDS)
    return since


@pytest.fixture(scope="module")
def hour(watched: Watched) -> Hour:
    """The load of the fault driver, judged by its ledger."""
    watch.until_quiet()
    began = time.time()
    loaded = under_load(watched, "quiet_hour", "nothing", nothing)
    return Hour(loaded, tuple(watch.fired(began, time.time())))


@pytest.mark.timeout(2_400)
def test_a_quiet_hour_fires_nothing_and_fails_nothing(hour: Hour) -> None:
    assert not hour.fired
    hour.loaded.assert_nothing_was_felt()
    assert hour.loaded.report.requests > _HOUR_SECONDS * PLAN.rate


@pytest.fixture(scope="module")
def prometheus(hour: Hour) -> Iterator[Prometheus]:
    """The one in the cluster, after that hour."""
    with httpx.Client(base_url=watch.PROMETHEUS[0], timeout=30, trust_env=False) as client:
        yield Prometheus(client)


_PANELS = {f"{page.name}/{panel.title}": panel for page in committed_pages() for panel in page.panels}


@pytest.mark.timeout(2_400)
@pytest.mark.parametrize("name", [name for name in _PANELS if name not in _EMPTY_IN_KIND])
def test_every_panel_has_data(name: str, prometheus: Prometheus) -> None:
    panel = _PANELS[name]
    metrics = {metric for query in panel.queries for metric in metric_names(query)}
    if metrics & _NOT_IN_KIND:
        pytest.skip("kind does not run what emits this")
    end = time.time()
    lines = prometheus.ask(panel.raw, Span(end - _HOUR_SECONDS, end))
    assert not prometheus.failures
    if name in _ONLY_WHAT_IS_WRONG:
        assert lines or all(_types(metric, prometheus.client) for metric in metrics)
    else:
        assert lines or _counts_what_did_not_happen(panel, metrics, prometheus.client)


def _counts_what_did_not_happen(panel: Panel, metrics: Iterable[str], client: httpx.Client) -> bool:
    """Whether the panel shows counters that have no value yet, or only failures; Prometheus knows them all the same."""
    only_failures = any(_FAILURES.search(query) for query in panel.queries)
    for metric in metrics:
        if not _is_counted(metric, client) or (_has_values(metric, client) and not only_failures):
            return False
    return True


def _is_counted(metric: str, client: httpx.Client) -> bool:
    return not {"counter", "histogram"}.isdisjoint(_types(metric, client))


def _types(metric: str, client: httpx.Client) -> set[str]:
    """Of which types those that emit the metric say that it is, values or not; none if nobody emits it."""
    names = (metric, _PARTS_OF_A_METRIC.sub("", metric))
    answers = [client.get("/api/v1/metadata", params={"metric": name}).raise_for_status().json() for name in names]
    return {entry["type"] for answer in answers for entries in answer["data"].values() for entry in entries}


def _has_values(metric: str, client: httpx.Client) -> bool:
    answer = client.get("/api/v1/query", params={"query": f"count(last_over_time({metric}[10m]))"}).raise_for_status()
    return bool(answer.json()["data"]["result"])
