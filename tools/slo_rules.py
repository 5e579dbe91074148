"""Writes observability/rules/slo-*.yaml from observability/slos/*.yaml: recorded ratios and burn-rate alerts.

The alerts are those of the SRE Workbook's chapter "Alerting on SLOs": a budget that burns fast pages, one that burns
slowly makes a ticket, and a short window beside the long one lets an alert end soon after its cause. `--check` only
says whether the files are as they should be.
"""

import argparse
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SLOS = ROOT / "observability" / "slos"
RULES = ROOT / "observability" / "rules"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


@dataclass(frozen=True, slots=True)
class Burn:
    """One pair of windows: how many times too fast the budget burns in both."""

    factor: str
    long: str
    short: str
    spent: str
    """The part of 30 days' budget that is gone by then."""


FAST = (Burn("14.4", "1h", "5m", "2%"), Burn("6", "6h", "30m", "5%"))
SLOW = (Burn("3", "1d", "2h", "10%"), Burn("1", "3d", "6h", "10%"))


def main() -> int:
    """Write the files, or with --check compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    check = parser.parse_args().check
    stale = [path for path, content in wanted().items() if not path.exists() or path.read_text() != content]
    if not check:
        for path in stale:
            path.write_text(wanted()[path])
        return 0
    for path in stale:
        sys.stderr.write(f"{path.relative_to(ROOT)} does not follow from its SLO: run tools/slo_rules.py\n")
    return 1 if stale else 0


def wanted() -> dict[Path, str]:
    """Return each rule file with what should be in it."""
    return {
        RULES / f"slo-{path.name}": render(yaml.safe_load(path.read_text())) for path in sorted(SLOS.glob("*.yaml"))
    }


def render(slo: dict[str, Any]) -> str:
    """Return the rule file of one SLO."""
    head = f"""\
# Made by tools/slo_rules.py from observability/slos/{slo["name"]}.yaml: change that one.
groups:
  - name: taskhub-slo-{slo["name"]}
    rules:
"""
    recorded = [_ratio(slo, window) for window in WINDOWS]
    alerts = [
        _alert(
            slo,
            "Fast",
            "page",
            "2m",
            FAST,
            "At this pace the error budget of 30 days is gone within five days, or sooner.",
        ),
        _alert(
            slo, "Slow", "ticket", "15m", SLOW, "At this pace the error budget of 30 days is gone before they are over."
        ),
    ]
    return head + "".join([*recorded, _objective(slo), _remaining(slo), *alerts])


def _ratio(slo: dict[str, Any], window: str) -> str:
    # Without errors there may be no series of them; without requests there is no ratio, rather than a good one.
    # A difference of two rates that are both extrapolated may come out a little below zero.
    errors, total = (str(slo[part]).replace("$window", window) for part in ("errors", "total"))
    expr = f"clamp_min(\n{textwrap.indent(errors, '  ')}\n  or vector(0),\n  0\n)\n/ ({total} > 0)"
    return _record(f"slo:error_ratio:rate{window}", expr, slo)


def _objective(slo: dict[str, Any]) -> str:
    return _record("slo:objective:ratio", f"vector({slo['objective']})", slo)


def _remaining(slo: dict[str, Any]) -> str:
    # By time, not by requests: a quiet hour counts as much as a busy one.
    expr = f'1 - avg_over_time(slo:error_ratio:rate5m{{slo="{slo["name"]}"}}[30d]) / {_budget(slo)}'
    return _record("slo:error_budget_remaining:ratio", expr, slo)


def _record(name: str, expr: str, slo: dict[str, Any]) -> str:
    written = f"|-\n{textwrap.indent(expr, ' ' * 10)}" if "\n" in expr else expr
    return f"""\
      - record: {name}
        expr: {written}
        labels:
          slo: {slo["name"]}
"""


def _alert(slo: dict[str, Any], speed: str, severity: str, wait: str, burns: tuple[Burn, ...], meaning: str) -> str:
    pairs = [
        f'(slo:error_ratio:rate{burn.long}{{slo="{slo["name"]}"}} > {burn.factor} * {_budget(slo)}'
        f' and slo:error_ratio:rate{burn.short}{{slo="{slo["name"]}"}} > {burn.factor} * {_budget(slo)})'
        for burn in burns
    ]
    allowed = f"the objective allows {_percent(1 - slo['objective'])}"
    notes = "".join(
        f"      # {burn.factor} times too fast for {burn.long}: {burn.spent} of the budget.\n" for burn in burns
    )
    return f"""\
{notes}\
      - alert: {slo["alert"]}Burns{speed}
        expr: |-
{textwrap.indent(chr(10).join([pairs[0], *(f"or {pair}" for pair in pairs[1:])]), " " * 10)}
        for: {wait}
        labels:
          severity: {severity}
          component: {slo["component"]}
          slo: {slo["name"]}
        annotations:
          summary: "Missed too often: {slo["title"]}"
          description: >-
            {{{{ $value | humanizePercentage }}}} of the {slo["of"]} missed it; {allowed}.
            {meaning}
          runbook_url: https://taskhub.example.com/runbooks/{slo["alert"]}Burns{speed}.md
          dashboard_url: https://grafana.example.com/d/taskhub-overview
"""


def _budget(slo: dict[str, Any]) -> str:
    return f"{1 - slo['objective']:.6f}".rstrip("0")


def _percent(ratio: float) -> str:
    return f"{ratio * 100:.4f}".rstrip("0").rstrip(".") + "%"


if __name__ == "__main__":
    sys.exit(main())
