"""The few shapes that every dashboard is made of: a graph, a tile, a bar of states, a table of alerts, and the frame.

Queries are PromQL as it stands in Grafana, with one shorthand: `{ns}` (alone or before further matchers) keeps to the
namespaces picked at the top of the dashboard.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery as AnyQuery
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "https://taskhub.example.com/runbooks"
GREEN, YELLOW, RED, GREY = "green", "orange", "red", "#808080"
GRAPH_HEIGHT, TILE_HEIGHT = 8, 4

Panel = timeseries.Panel | stat.Panel | statetimeline.Panel | table.Panel


@dataclass(frozen=True, slots=True)
class Query:
    """One query and what its lines are called in the legend."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a value is a warning, and from where on it is bad. Where low is bad, `bad` is below `warn`."""

    warn: float
    bad: float

    def steps(self) -> list[models.Threshold]:
        """The same as Grafana counts: colours from the lowest value up."""
        if self.bad >= self.warn:
            ladder: list[tuple[float | None, str]] = [(None, GREEN), (self.warn, YELLOW), (self.bad, RED)]
        else:
            ladder = [(None, RED), (self.bad, YELLOW), (self.warn, GREEN)]
        return [models.Threshold(value=value, color=colour) for value, colour in ladder]


AT_LEAST_ONE = Limits(warn=1, bad=0.5)


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, and the panels under it."""

    title: str
    panels: Sequence[Panel]


def graph(
    title: str,
    why: str,
    unit: str,
    *queries: Query | str,
    width: int = 12,
    limits: Limits | None = None,
    stacked: bool = False,
    runbook: str | None = None,
    most: float | None = None,
) -> timeseries.Panel:
    """Lines over time. With limits, dashed lines show where it turns bad; `runbook` links the alert's page."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(why)
        .unit(unit)
        .datasource(SOURCE)
        .min(0)
        .height(GRAPH_HEIGHT)
        .span(width)
        .fill_opacity(25 if stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .targets(_targets(queries))
        .links(_runbook(runbook))
    )
    if most is not None:
        panel.max(most)
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if limits is not None:
        panel.thresholds(_thresholds(limits))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    return panel


def tile(
    title: str,
    why: str,
    unit: str,
    expr: str,
    *,
    limits: Limits,
    words: dict[str, tuple[str, str]] | None = None,
    opens: str | None = None,
    runbook: str | None = None,
    width: int = 3,
    decimals: int | None = None,
) -> stat.Panel:
    """One number, coloured by its limits. `words` says a value in a word and a colour; a click opens a dashboard."""
    panel = (
        stat.Panel()
        .title(title)
        .description(why)
        .unit(unit)
        .datasource(SOURCE)
        .height(TILE_HEIGHT)
        .span(width)
        .color_mode(BigValueColorMode.BACKGROUND)
        .graph_mode(BigValueGraphMode.NONE)
        .no_value("no data")
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
        .thresholds(_thresholds(limits))
        .targets(_targets([Query(expr)], instant=True))
        .links(([_dashboard_link(title, opens)] if opens else []) + _runbook(runbook))
    )
    if words is not None:
        panel.mappings([_words(words)])
    if decimals is not None:
        panel.decimals(decimals)
    return panel


def states(
    title: str,
    why: str,
    *queries: Query,
    words: dict[str, tuple[str, str]],
    width: int = 24,
    runbook: str | None = None,
) -> statetimeline.Panel:
    """One bar a thing, coloured by its state over time."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(why)
        .unit("none")
        .datasource(SOURCE)
        .height(GRAPH_HEIGHT)
        .span(width)
        .mappings([_words(words)])
        .show_value(VisibilityMode.NEVER)
        .row_height(0.8)
        .targets(_targets(queries))
        .links(_runbook(runbook))
    )


def firing(title: str, why: str, matchers: str, *, width: int = 24) -> table.Panel:
    """The alerts that fire now, the worst first."""
    wanted = f'ALERTS{{alertstate="firing",alertname!="Watchdog"{matchers}}}'
    expr = f"max by (severity, alertname, component) ({wanted})"
    hidden = ["Time", "Value"]
    return (
        table.Panel()
        .title(title)
        .description(why)
        .unit("none")
        .datasource(SOURCE)
        .height(GRAPH_HEIGHT)
        .span(width)
        .no_value("no alert fires")
        .targets(_targets([Query(expr)], instant=True, as_table=True))
        .with_transformation(
            models.DataTransformerConfig(
                id_val="organize", options={"excludeByName": dict.fromkeys(hidden, True), "indexByName": {}}
            )
        )
        .override_by_name(
            "alertname",
            [
                models.DynamicConfigValue(
                    id_val="links", value=[{"title": "Runbook", "url": f"{RUNBOOKS}/${{__value.text}}.md"}]
                )
            ],
        )
    )


def page(uid: str, title: str, why: str, rows: Sequence[Row]) -> models.Dashboard:
    """The frame: source, namespaces, links to the other dashboards and the runbooks, and a mark at each deploy."""
    frame = (
        builders.Dashboard(f"TaskHub / {title}")
        .uid(f"taskhub-{uid}")
        .description(why)
        .tags(["taskhub"])
        .timezone("utc")
        .time("now-1h", "now")
        .refresh("30s")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(builders.DatasourceVariable("datasource").label("Source").type("prometheus"))
        .with_variable(_namespaces())
        .annotation(_deploys())
        .link(
            builders.DashboardLink("TaskHub")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["taskhub"])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
        .link(
            builders.DashboardLink("First ten minutes")
            .type(models.DashboardLinkType.LINK)
            .url(f"{RUNBOOKS}/first-ten-minutes.md")
            .target_blank(True)
        )
    )
    for row in rows:
        frame.with_row(builders.Row(row.title))
        for panel in row.panels:
            frame.with_panel(panel)
    built = frame.build()
    # Numbered in the order of reading, so that a link can name a panel.
    for number, one in enumerate(built.panels or [], start=1):
        one.id_val = number
    return built


def _targets(
    queries: Sequence[Query | str], *, instant: bool = False, as_table: bool = False
) -> list[Builder[AnyQuery]]:
    targets: list[Builder[AnyQuery]] = []
    for number, query in enumerate(queries):
        one = query if isinstance(query, Query) else Query(query)
        target = (
            Dataquery()
            .datasource(SOURCE)
            .ref_id(chr(ord("A") + number))
            .expr(one.expr.replace("{ns", '{namespace=~"$namespace"'))
            .legend_format(one.legend or "__auto")
        )
        if as_table:
            target.format(PromQueryFormat.TABLE)
        targets.append(target.instant() if instant else target.range())
    return targets


def _thresholds(limits: Limits) -> builders.ThresholdsConfig:
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(limits.steps())


def _words(words: dict[str, tuple[str, str]]) -> models.ValueMap:
    return models.ValueMap(
        options={
            value: models.ValueMappingResult(text=text, color=colour, index=number)
            for number, (value, (text, colour)) in enumerate(words.items())
        }
    )


def _dashboard_link(title: str, uid: str) -> Builder[models.DashboardLink]:
    url = f"/d/taskhub-{uid}?${{__url_time_range}}&${{namespace:queryparam}}"
    return builders.DashboardLink(f"More: {title}").type(models.DashboardLinkType.LINK).url(url)


def _runbook(alert: str | None) -> list[Builder[models.DashboardLink]]:
    if alert is None:
        return []
    link = builders.DashboardLink(f"Runbook: {alert}").type(models.DashboardLinkType.LINK)
    return [link.url(f"{RUNBOOKS}/{alert}.md").target_blank(True)]


def _namespaces() -> builders.QueryVariable:
    # "All" also takes in series without a namespace: those of `make up`.
    return (
        builders.QueryVariable("namespace")
        .label("Namespace")
        .datasource(SOURCE)
        .query("label_values(up, namespace)")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


def _deploys() -> builders.AnnotationQuery:
    # A process that started is a deploy, or a restart that nobody asked for; both are worth a mark.
    return (
        builders.AnnotationQuery()
        .name("Starts of TaskHub's processes")
        .datasource(SOURCE)
        .enable(True)
        .icon_color("blue")
        .expr(
            "changes(process_start_time_seconds"
            '{namespace=~"$namespace",job=~"api|worker|dispatcher|sqs-consumer"}[1m]) > 0'
        )
    )


UP_DOWN = {"0": ("down", RED), "1": ("up", GREEN)}
