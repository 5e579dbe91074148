"""The picture of the report: recovery against budget, and the request rate through each fault."""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from tests.e2e.outcome import Outcome

_GOOD, _BAD, _PALE, _INK = "#2f7d5b", "#c0392b", "#d9dee3", "#33404d"
_COLUMNS = 4
_LEAST_SECONDS = 0.1


def draw(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the picture as PNG."""
    rows = math.ceil(len(outcomes) / _COLUMNS)
    bars_height = 0.8 + 0.28 * len(outcomes)
    with pyplot.rc_context({"font.size": 8, "axes.edgecolor": _PALE, "text.color": _INK, "axes.labelcolor": _INK}):
        figure = pyplot.figure(figsize=(13, bars_height + 1.5 * rows + 0.6), layout="constrained")
        upper, lower = figure.subfigures(2, 1, height_ratios=(bars_height, 1.5 * rows + 0.6))
        _recovery(upper.subplots(), outcomes)
        lower.suptitle("Requests a second through each fault (red: failed; 0: the fault begins)", fontsize=10)
        grid = lower.subplots(rows, _COLUMNS, squeeze=False)
        for axes in grid.flat[len(outcomes) :]:
            axes.set_axis_off()
        for axes, outcome in zip(grid.flat, outcomes, strict=False):
            _rate(axes, outcome)
        figure.savefig(path, dpi=110)
        pyplot.close(figure)


def _recovery(axes: Axes, outcomes: Sequence[Outcome]) -> None:
    places = range(len(outcomes))
    budgets = [outcome.budget_seconds for outcome in outcomes]
    measured = [
        outcome.budget_seconds if outcome.measured_seconds is None else max(outcome.measured_seconds, _LEAST_SECONDS)
        for outcome in outcomes
    ]
    axes.barh(places, budgets, color=_PALE, height=0.8, label="budget")
    axes.barh(places, measured, color=[_GOOD if one.passed else _BAD for one in outcomes], height=0.4, label="measured")
    for place, outcome, length in zip(places, outcomes, measured, strict=True):
        text = "never" if outcome.measured_seconds is None else f"{outcome.measured_seconds:.1f} s"
        axes.text(
            max(outcome.budget_seconds, length) * 1.05, place, f"{text} of {outcome.budget_seconds:g} s", va="center"
        )
    axes.set_yticks(places, [outcome.case for outcome in outcomes])
    axes.set_ylim(-0.6, len(outcomes) - 0.4)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(_LEAST_SECONDS, max(budgets, default=1.0) * 3)
    axes.set_title("Seconds until everything worked again, against its budget", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def _rate(axes: Axes, outcome: Outcome) -> None:
    seconds = [rate.second for rate in outcome.rates]
    answered = [rate.answered for rate in outcome.rates]
    failed = [rate.failed for rate in outcome.rates]
    axes.fill_between(seconds, answered, step="mid", color=_GOOD, alpha=0.5, linewidth=0)
    axes.bar(seconds, failed, bottom=answered, color=_BAD, width=1.0)
    axes.axvline(0, color=_INK, linewidth=0.6, linestyle=":")
    axes.set_title(outcome.case, fontsize=8, loc="left", color=_INK if outcome.passed else _BAD)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=6)
    axes.spines[["top", "right"]].set_visible(False)
