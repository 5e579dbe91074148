"""Draws one dashboard as a picture: panels where the grid says, coloured by the thresholds that the JSON has."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import matplotlib as mpl
import matplotlib.dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from observability.render.asking import Line, Span
from observability.render.units import said

mpl.rcParams["svg.fonttype"] = "none"
_DATES: Any = matplotlib.dates  # it has no types

_COLUMNS = 24
_COLUMN_INCHES, _ROW_INCHES, _HEAD_INCHES = 0.75, 0.36, 0.6
_PAPER, _CARD, _INK, _FAINT = "#111217", "#181b1f", "#ccccdc", "#5a5d66"
_NAMED = {"green": "#3d9a50", "orange": "#d9822b", "red": "#d0313c"}
_LINES = ["#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0", "#508642", "#cca300"]


def draw(page: Mapping[str, Any], data: Mapping[int, Sequence[Line]], span: Span) -> Figure:
    """The whole dashboard. `data` has the lines of each panel, by its id."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in page["panels"])
    height = rows * _ROW_INCHES + _HEAD_INCHES
    figure = Figure(figsize=(_COLUMNS * _COLUMN_INCHES, height), facecolor=_PAPER)
    top = 1 - 0.22 / height
    figure.text(0.008, top, page["title"], color="white", fontsize=15, va="center", weight="bold")
    began, ended = (datetime.fromtimestamp(one, UTC) for one in (span.start, span.end))
    subtitle = f"{began:%Y-%m-%d %H:%M} to {ended:%H:%M} UTC"
    figure.text(0.992, top, subtitle, color=_FAINT, fontsize=9, va="center", ha="right")
    for panel in page["panels"]:
        place = panel["gridPos"]
        left, width = place["x"] / _COLUMNS, place["w"] / _COLUMNS
        bottom = 1 - (_HEAD_INCHES + (place["y"] + place["h"]) * _ROW_INCHES) / height
        tall = place["h"] * _ROW_INCHES / height
        if panel["type"] == "row":
            figure.text(left + 0.008, bottom + tall / 2, panel["title"], color="white", fontsize=11, va="center")
            continue
        axes = figure.add_axes((left + 0.004, bottom + 0.05 / height, width - 0.008, tall - 0.1 / height))
        axes.set_facecolor(_CARD)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        _DRAWN[panel["type"]](axes, panel, data[panel["id"]], span)
    return figure


def _title(axes: Axes, panel: Mapping[str, Any], colour: str = _INK) -> None:
    text, corner = panel["title"], (6, -6)
    axes.annotate(
        text, (0, 1), corner, xycoords="axes fraction", textcoords="offset points", color=colour, fontsize=9, va="top"
    )


def _colour(panel: Mapping[str, Any], value: float) -> str:
    colour = _FAINT
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            colour = _NAMED.get(step["color"], step["color"])
    return colour


def _words(panel: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    found = {}
    for mapping in panel["fieldConfig"]["defaults"].get("mappings", []):
        for value, result in mapping["options"].items():
            found[value] = (result["text"], _NAMED.get(result["color"], result["color"]))
    return found


def _dates(times: Sequence[float]) -> Any:
    return _DATES.date2num([datetime.fromtimestamp(time, UTC) for time in times])


def _with_gaps(times: Sequence[float], values: Sequence[float], step: float) -> tuple[Any, list[float]]:
    """The points, with a hole where there was no value: a line across it would be a guess."""
    at, drawn = [], []
    for place, (time, value) in enumerate(zip(times, values, strict=True)):
        if place and time - times[place - 1] > 1.5 * step:
            at.append((time + times[place - 1]) / 2)
            drawn.append(math.nan)
        at.append(time)
        drawn.append(value)
    return _dates(at), drawn


def _time_axis(axes: Axes, span: Span) -> None:
    locator = _DATES.AutoDateLocator(minticks=3, maxticks=10)
    axes.set_xlim(*_dates([span.start, span.end]))
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(_DATES.ConciseDateFormatter(locator))
    axes.xaxis.get_offset_text().set_visible(False)


def _stat(axes: Axes, panel: Mapping[str, Any], lines: Sequence[Line], _span: Span) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    text, colour = defaults["noValue"], _FAINT
    if lines:
        value = lines[0].last
        text, colour = said(value, defaults["unit"], defaults.get("decimals")), _colour(panel, value)
        text, colour = _words(panel).get(f"{value:g}", (text, colour))
    axes.set_facecolor(colour)
    _title(axes, panel, "white")
    axes.text(0.5, 0.42, text, transform=axes.transAxes, color="white", fontsize=18, ha="center", va="center")


def _graph(axes: Axes, panel: Mapping[str, Any], lines: Sequence[Line], span: Span) -> None:
    _title(axes, panel)
    if not lines:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, color=_FAINT, fontsize=11, ha="center", va="center")
        return
    defaults = panel["fieldConfig"]["defaults"]
    inner = axes.inset_axes((0.09, 0.27, 0.89, 0.58))
    inner.set_facecolor(_CARD)
    stacked = defaults["custom"].get("stacking", {}).get("mode") == "normal"
    bottom: dict[float, float] = {}
    for number, line in enumerate(sorted(lines, key=lambda one: one.name)):
        colour = _LINES[number % len(_LINES)]
        values = [value + bottom.get(time, 0.0) for time, value in zip(line.times, line.values, strict=True)]
        times = _dates(line.times)
        if stacked:
            floor = [bottom.get(time, 0.0) for time in line.times]
            inner.fill_between(times, floor, values, color=colour, alpha=0.35, linewidth=0)
            bottom |= dict(zip(line.times, values, strict=True))
        inner.plot(*_with_gaps(line.times, values, span.step), color=colour, linewidth=1.2)
    if defaults["custom"].get("thresholdsStyle", {}).get("mode") == "dashed":
        for step in defaults["thresholds"]["steps"]:
            if step["value"] is not None and step["value"] <= inner.get_ylim()[1]:
                inner.axhline(step["value"], color=_NAMED.get(step["color"], _INK), linestyle="--", linewidth=0.8)
    smallest, largest = (pick(value for line in lines for value in line.values) for pick in (min, max))
    inner.set_ylim(bottom=min(0.0, smallest), top=None if largest > 0 else 1.0)
    inner.yaxis.set_major_formatter(FuncFormatter(lambda value, _: said(value, defaults["unit"], 0)))
    _time_axis(inner, span)
    inner.tick_params(colors=_FAINT, labelsize=7, length=0)
    inner.grid(color=_FAINT, alpha=0.25, linewidth=0.5)
    for spine in inner.spines.values():
        spine.set_visible(False)
    names = sorted(one.name for one in lines)
    shown = [f"{name[:28]}" for name in names[:6]] + ([f"and {len(names) - 6} more"] if len(names) > 6 else [])
    handles = inner.get_lines()[: len(shown)]
    axes.legend(
        handles,
        shown,
        loc="lower left",
        ncols=3,
        fontsize=7,
        frameon=False,
        labelcolor=_INK,
        handlelength=1,
        columnspacing=1,
        borderaxespad=0.3,
    )


def _states(axes: Axes, panel: Mapping[str, Any], lines: Sequence[Line], span: Span) -> None:
    _title(axes, panel)
    words = _words(panel)
    inner = axes.inset_axes((0.17, 0.17, 0.81, 0.68))
    inner.set_facecolor(_CARD)
    ordered = sorted(lines, key=lambda one: one.name, reverse=True)
    for place, line in enumerate(ordered):
        for time, following, value in zip(line.times, [*line.times[1:], line.times[-1]], line.values, strict=True):
            colour = words.get(f"{value:g}", ("", _FAINT))[1]
            begin, end = _dates([time, following])
            inner.fill_between([begin, end], place - 0.35, place + 0.35, color=colour, linewidth=0)
    inner.set_yticks(range(len(ordered)), [one.name[:24] for one in ordered])
    inner.tick_params(colors=_FAINT, labelsize=7, length=0)
    if ordered:
        _time_axis(inner, span)
    for spine in inner.spines.values():
        spine.set_visible(False)


def _table(axes: Axes, panel: Mapping[str, Any], lines: Sequence[Line], _span: Span) -> None:
    _title(axes, panel)
    ranks = {"page": 0, "ticket": 1}
    ordered = sorted(lines, key=lambda one: (ranks.get(one.labels.get("severity", ""), 2), one.name))
    for place, line in enumerate(ordered[:9]):
        severity = line.labels.get("severity", "")
        colour = {"page": _NAMED["red"], "ticket": _NAMED["orange"]}.get(severity, _INK)
        height = 0.83 - place * 0.09
        for left, text in ((0.02, severity), (0.14, line.labels.get("alertname", line.name)),
                           (0.62, line.labels.get("component", ""))):  # fmt: skip
            axes.text(left, height, text, transform=axes.transAxes, color=colour, fontsize=9, va="top")
    if not lines:
        text = panel["fieldConfig"]["defaults"]["noValue"]
        axes.text(0.5, 0.5, text, transform=axes.transAxes, color=_FAINT, fontsize=11, ha="center", va="center")


_DRAWN: Mapping[str, Callable[[Axes, Mapping[str, Any], Sequence[Line], Span], None]] = {
    "stat": _stat,
    "timeseries": _graph,
    "state-timeline": _states,
    "table": _table,
}
