"""Each dashboard can be read by somebody who has never seen it: rules of Grafana's own linter, and ours."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from observability.dashboards.listing import as_json, dashboards
from observability.dashboards.reading import FOLDER, Page, Panel, committed_pages, metric_names

from tests.observability.rules.programs import run

PAGES = {page.name: page for page in committed_pages()}
PANELS = [
    pytest.param(page, panel, id=f"{page.name}/{panel.title}") for page in PAGES.values() for panel in page.panels
]
EVERY_PAGE = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
EVERY_PANEL = pytest.mark.parametrize("page, panel", PANELS)

WANTED = {
    "overview",
    "api",
    "jobs",
    "sqs",
    "postgresql",
    "redis",
    "search",
    "ingress",
    "kubernetes",
    "observability",
}


def test_the_committed_json_is_what_the_source_makes() -> None:
    wanted = {f"{name}.json": as_json(one) for name, one in dashboards().items()}
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == wanted


def test_every_subject_has_its_dashboard() -> None:
    assert set(PAGES) == WANTED


@EVERY_PAGE
def test_a_dashboard_is_named_tagged_and_described(page: Page) -> None:
    raw = page.raw
    assert raw["uid"] == f"taskhub-{page.name}"
    assert raw["title"].startswith("TaskHub / ")
    assert raw["tags"] == ["taskhub"]
    assert raw["description"]
    assert not raw["editable"], "a change in the browser would be lost at the next deploy"


@EVERY_PAGE
def test_source_and_namespace_can_be_chosen(page: Page) -> None:
    variables = {one["name"]: one for one in page.raw["templating"]["list"]}
    assert set(variables) == {"datasource", "namespace"}
    assert variables["datasource"]["query"] == "prometheus"
    namespace = variables["namespace"]
    assert namespace["multi"]
    assert namespace["includeAll"]
    assert namespace["allValue"] == ".*", "with 'All', series without a namespace must be seen too"


@EVERY_PAGE
def test_deploys_are_marked_and_the_other_dashboards_linked(page: Page) -> None:
    assert [mark["expr"] for mark in page.raw["annotations"]["list"] if mark["enable"]]
    links = page.raw["links"]
    assert any(link["type"] == "dashboards" and link["tags"] == ["taskhub"] for link in links)
    assert any(link.get("url", "").endswith("/first-ten-minutes.md") for link in links)


@EVERY_PAGE
def test_titles_are_unique_so_that_one_can_be_named(page: Page) -> None:
    counts = Counter(panel.title for panel in page.panels)
    assert [title for title, count in counts.items() if count > 1] == []


@EVERY_PAGE
def test_panels_lie_on_the_grid_without_overlap(page: Page) -> None:
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in page.raw["panels"]):
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        taken |= cells


@EVERY_PANEL
def test_a_panel_says_what_it_shows_in_which_unit_and_why(page: Page, panel: Panel) -> None:
    assert panel.title
    assert len(panel.raw["description"]) > 15
    assert panel.raw["description"].endswith((".", "?"))
    assert panel.unit
    assert panel.queries


@EVERY_PANEL
def test_a_panel_asks_the_chosen_source(page: Page, panel: Panel) -> None:
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert panel.raw["datasource"] == source
    assert all(target["datasource"] == source for target in panel.raw["targets"])
    assert [target["refId"] for target in panel.raw["targets"]] == [chr(65 + n) for n in range(len(panel.queries))]


@EVERY_PANEL
def test_rates_over_time_follow_the_zoom(page: Page, panel: Panel) -> None:
    """A graph takes $__rate_interval; a tile names its window, which its title or description says, too."""
    for query in panel.queries:
        for window in re.findall(r"(?:rate|increase)\([^\[\]]*\[([^\]]+)\]", query):
            is_graph = panel.kind == "timeseries" and "increase(" not in query
            assert window == "$__rate_interval" or not is_graph, query


@EVERY_PANEL
def test_counters_are_rated_and_gauges_are_not(page: Page, panel: Panel) -> None:
    for query in panel.queries:
        for name, before in _with_function(query):
            if name.endswith(("_total", "_bucket", "_count", "_sum")) and not name.startswith(
                ("kube_", "pg_locks_count", "pg_stat_activity_count", "elasticsearch_")
            ):
                assert before in {"rate", "increase"}, f"{name} is a counter"
            elif name.startswith("taskhub_"):
                assert before not in {"rate", "increase"}, f"{name} is a gauge"


def _with_function(query: str) -> Iterator[tuple[str, str]]:
    for name in metric_names(query):
        for match in re.finditer(rf"(\w*)\(?\b{name}\b", query):
            yield name, match.group(1)


@EVERY_PANEL
def test_our_own_metrics_keep_to_the_chosen_namespaces(page: Page, panel: Panel) -> None:
    for query in panel.queries:
        assert "{ns" not in query
        for name in metric_names(query):
            if name.startswith("taskhub_"):
                assert re.search(rf'{name}\{{namespace=~"\$namespace"', query), f"{name} in {query}"


@EVERY_PANEL
def test_a_tile_has_thresholds_and_a_word_for_no_data(page: Page, panel: Panel) -> None:
    if panel.kind != "stat":
        return
    defaults: dict[str, Any] = panel.raw["fieldConfig"]["defaults"]
    assert len(defaults["thresholds"]["steps"]) >= 3
    assert defaults["noValue"]
    values = [step["value"] for step in defaults["thresholds"]["steps"]][1:]
    assert values == sorted(values)


def test_the_overview_opens_with_one_tile_a_failure_mode_each_leading_on() -> None:
    tiles = [panel for panel in PAGES["overview"].panels if panel.title[0].isdigit()]
    assert [panel.title[0] for panel in tiles] == list("12345678")
    linked = {link["url"] for panel in tiles for link in panel.raw["links"]}
    uids = {re.sub(r"^/d/([^?]+).*", r"\1", url) for url in linked}
    assert uids <= {page.raw["uid"] for page in PAGES.values()}
    assert len(uids) == 8


@EVERY_PANEL
def test_a_link_to_a_runbook_leads_to_a_page(page: Page, panel: Panel) -> None:
    pages = Path(__file__).parents[3] / "observability" / "runbooks"
    for link in panel.raw.get("links", []):
        if "/runbooks/" in link["url"]:
            assert (pages / link["url"].rpartition("/")[2]).is_file()


@EVERY_PAGE
def test_most_graphs_of_a_dashboard_lead_to_a_runbook(page: Page) -> None:
    linked = [panel for panel in page.panels if any("/runbooks/" in link["url"] for link in panel.raw.get("links", []))]
    assert len(linked) >= 4


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    """Each query as a recording rule, with Grafana's variables filled in."""
    queries = [query for page in PAGES.values() for panel in page.panels for query in panel.queries]
    queries += [mark["expr"] for page in PAGES.values() for mark in page.raw["annotations"]["list"]]
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "1m").replace("$namespace", ".*")}
        for number, query in enumerate(queries)
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    checked = run("promtool", "check", "rules", file)
    assert checked.returncode == 0, checked.stdout
    assert f"{len(queries)} rules found" in checked.stdout


def _emitted() -> set[str]:
    """What there is to plot: our own metrics, those of listed exporters, recorded series, and Prometheus's own."""
    folder = FOLDER.parents[1]
    found = {"up", "ALERTS"}
    for metric in yaml.safe_load((folder / "metrics.yaml").read_text())["metrics"]:
        name = metric["name"]
        found |= {f"{name}_bucket", f"{name}_count", f"{name}_sum"} if metric["type"] == "histogram" else {name}
    for exporter in yaml.safe_load((folder / "exporters.yaml").read_text()).values():
        found |= set(exporter["metrics"])
    for path in (folder / "rules").glob("*.yaml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            found |= {rule["record"] for rule in group["rules"] if "record" in rule}
    return found


@EVERY_PAGE
def test_every_metric_is_emitted_by_somebody(page: Page) -> None:
    queries = [query for panel in page.panels for query in panel.queries]
    queries += [mark["expr"] for mark in page.raw["annotations"]["list"]]
    assert {name for query in queries for name in metric_names(query)} - _emitted() == set()
