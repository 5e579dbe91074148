"""The report of `make e2e`: JSON, a Markdown table and a picture of all cases whose outcomes lie in its folder."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from taskhub_local.faults.machine import EXPLANATION, in_words
from tests.e2e.outcome import FILE, Outcome, load


def outcomes_in(folder: Path, order: Sequence[str]) -> list[Outcome]:
    """Return the newest outcome of each case in the folder, in that order; cases that are no more come last."""
    found = [load(path.parent) for path in folder.glob(f"*/{FILE}")]
    places = {name: place for place, name in enumerate(order)}
    return sorted(found, key=lambda outcome: (places.get(outcome.case, len(places)), outcome.case))


def write_report(folder: Path, outcomes: Sequence[Outcome], machine: dict[str, Any]) -> None:
    """Write report.json and report.md."""
    content = {
        "machine": machine,
        "passed": all(outcome.passed for outcome in outcomes),
        "cases": [{**asdict(outcome), "passed": outcome.passed} for outcome in outcomes],
    }
    (folder / "report.json").write_text(json.dumps(content, indent=1) + "\n")
    (folder / "report.md").write_text(markdown(outcomes))


def markdown(outcomes: Sequence[Outcome]) -> str:
    """Return the table, what its last column means, and each failure as a sentence."""
    head = (
        "| case | what is broken | budget | measured | counted from | requests | failed | unknown | lost | duplicated |"
        " alerts | machine |"
    )
    rule = "|---|---|--:|--:|---|--:|--:|--:|--:|--:|---|---|"
    failures = [f"- **{outcome.case}**: {failure}" for outcome in outcomes for failure in outcome.failures]
    parts = [head, rule, *(_row(outcome) for outcome in outcomes), "", EXPLANATION]
    if failures:
        parts += ["", "Failures:", "", *failures]
    return "\n".join(parts) + "\n"


def _row(outcome: Outcome) -> str:
    cells = (
        f"{'✓' if outcome.passed else '✗'} `{outcome.case}`",
        outcome.breaks,
        f"{outcome.budget_seconds:g} s",
        "never" if outcome.measured_seconds is None else f"{outcome.measured_seconds:.1f} s",
        outcome.counted_from,
        f"{outcome.requests:,}",
        f"{outcome.failed:,}",
        f"{outcome.unknown:,}",
        f"{outcome.lost:,}",
        f"{outcome.duplicated:,}",
        "not watched" if outcome.alerts is None else ", ".join(outcome.alerts) or "none",
        in_words(outcome.machine),
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
