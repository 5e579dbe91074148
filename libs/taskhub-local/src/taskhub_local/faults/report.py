"""What a case came to, as a row of the closing table and as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from taskhub_local.faults.machine import EXPLANATION, Machine, in_words

_BEST = "bold green"
_BAD = "bold red"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReport:
    """The figures of one case. Seconds, unless named otherwise."""

    name: str
    breaks: str
    felt: str
    counted_from: str
    recovery_seconds: float
    """Infinite if it did not recover while it was watched."""
    budget_seconds: float
    requests: int
    acknowledged: int
    refused: int
    unknown: int
    jobs: int
    lost: int
    doubled: int
    other_findings: int
    repeated_deliveries: int
    latency_p50_seconds: float
    latency_p99_seconds: float
    latency_worst_seconds: float
    longest_gap_seconds: float
    settle_seconds: float
    seed: int
    machine: Machine
    notes: tuple[str, ...] = ()
    failures: tuple[str, ...] = field(default=())
    """Sentences: a missed budget, a failed check, each finding of the verdict."""

    @property
    def passed(self) -> bool:
        """Whether budget, checks and ledger all hold."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class Skipped:
    """A case that this machine cannot run."""

    name: str
    reason: str


def summary(report: CaseReport) -> list[str]:
    """Return the outcome of one case as lines: what it came to, and each failure."""
    mark = "✓" if report.passed else "✗"
    recovered = f"recovered {_seconds(report.recovery_seconds)} after {report.counted_from}"
    first = f"{mark} {report.name}: {recovered} (allowed: {report.budget_seconds:g} s)"
    return [first, *(f"✗ {failure}" for failure in report.failures)]


def show_one(console: Console, report: CaseReport) -> None:
    """Print all figures of one case, one below the other."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    table.add_column(style="dim")
    for name, text in (
        ("recovered", f"{_seconds(report.recovery_seconds)} after {report.counted_from}, by {report.felt}"),
        ("allowed", f"{report.budget_seconds:g} s"),
        ("requests", f"{report.requests:,}"),
        ("writes", f"{report.acknowledged:,} acknowledged, {report.refused:,} refused, {report.unknown:,} unknown"),
        ("jobs", f"{report.jobs:,} accepted"),
        ("lost", _alarm(report.lost)),
        ("doubled", _alarm(report.doubled)),
        (
            "answered in",
            f"{_seconds(report.latency_p50_seconds)} (median), {_seconds(report.latency_p99_seconds)} (p99)",
        ),
        ("longest gap", f"{_seconds(report.longest_gap_seconds)} between two writes that succeeded"),
        ("all done", f"{_seconds(report.settle_seconds)} after the load had ended"),
        *(("", note) for note in report.notes),
    ):
        table.add_row(name, text)
    console.print(table)
    for line in summary(report):
        console.print(line, style="green" if report.passed else "red", markup=False)


def show(console: Console, reports: Sequence[CaseReport], skipped: Sequence[Skipped] = ()) -> None:
    """Print one table for all cases, and below it what failed and what was left out."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("case", no_wrap=True)
    for column in ("recovered", "allowed", "requests", "unknown", "lost", "double", "p99", "gap", "machine"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("counted from")
    for report in reports:
        mark = f"[{_BEST}]✓[/]" if report.passed else f"[{_BAD}]✗[/]"
        recovered = _seconds(report.recovery_seconds)
        late = report.recovery_seconds > report.budget_seconds
        table.add_row(
            f"{mark} {report.name}",
            f"[{_BAD}]{recovered}[/]" if late else recovered,
            f"{report.budget_seconds:g} s",
            f"{report.requests:,}",
            f"{report.unknown:,}",
            _alarm(report.lost),
            _alarm(report.doubled),
            _seconds(report.latency_p99_seconds),
            _seconds(report.longest_gap_seconds),
            in_words(report.machine),
            report.counted_from,
        )
    console.print(table)
    for left_out in skipped:
        console.print(f"- {left_out.name}: left out, {left_out.reason}", style="yellow", markup=False)
    for report in reports:
        for failure in report.failures:
            console.print(f"✗ {report.name}: {failure}", style="red", markup=False)
    console.print(EXPLANATION, style="dim", markup=False)


def write_json(path: Path, reports: Sequence[CaseReport], skipped: Sequence[Skipped], machine: dict[str, Any]) -> None:
    """Write all figures; an infinite recovery is null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": machine,
        "cases": [_finite({**asdict(report), "passed": report.passed}) for report in reports],
        "skipped": [asdict(left_out) for left_out in skipped],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


def _finite(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        name: (round(value, 4) if math.isfinite(value) else None) if isinstance(value, float) else value
        for name, value in figures.items()
    }


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if math.isfinite(value) else "never"


def _alarm(count: int) -> str:
    return f"[{_BAD}]{count}[/]" if count else "0"
