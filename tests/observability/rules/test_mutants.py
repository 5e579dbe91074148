"""A threshold or a waiting time that is changed by mistake is noticed: a promtool test fails for every mutant.

Numbers are moved by a quarter (small whole ones by one), waiting times are doubled and halved.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.observability.rules.programs import run
from tests.observability.rules.reading import Alert, alerts

_NUMBER = r"\d+(?:\.\d+)?(?:e\d+)?"
_COMPARED = re.compile(rf"(?:==|!=|>=|<=|>|<)\s*({_NUMBER}(?:\s*[*^]\s*{_NUMBER})*)")
_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule with one number changed."""

    change: str
    rule: dict[str, Any]


def mutants(alert: Alert) -> Iterator[Mutant]:
    """Every rule that differs from this one by one number."""
    for compared in _COMPARED.finditer(alert.expr):
        for number in re.finditer(_NUMBER, compared[1]):
            start = compared.start(1) + number.start()
            before, after = alert.expr[:start], alert.expr[start + len(number[0]) :]
            for other in _other_numbers(number[0], alert.expr):
                yield Mutant(
                    f"...{before[-30:]}[{number[0]} -> {other}]", {**alert.rule, "expr": before + other + after}
                )
    wait = alert.rule.get("for")
    for other in _other_waits(wait):
        yield Mutant(f"for: {wait} -> {other}", {**alert.rule, "for": other})


def _other_numbers(number: str, expr: str) -> list[str]:
    value = float(number)
    if value == 0:
        # increase() extrapolates: a single event may count as a little more than one.
        return ["2" if "increase(" in expr else "1"]
    if value <= 3 and value.is_integer():
        return [f"{value - 1:g}", f"{value + 1:g}"]
    return [f"{value * 0.8:.10g}", f"{value * 1.25:.10g}"]


def _other_waits(wait: str | None) -> list[str]:
    if wait is None:
        return ["1m"]
    seconds = int(wait[:-1]) * _UNITS[wait[-1]]
    return [f"{seconds * 2}s", f"{seconds // 2}s"]


@pytest.mark.parametrize("alert", [pytest.param(one, id=one.name) for one in alerts() if one.name != "Watchdog"])
def test_no_number_of_an_alert_can_be_changed_unnoticed(alert: Alert, tmp_path: Path) -> None:
    changed = list(mutants(alert))
    original = Mutant("nothing", alert.rule)
    files = [_write(tmp_path, number, mutant, alert) for number, mutant in enumerate([original, *changed])]
    # One run for all: starting promtool costs more than its tests.
    tested = run("promtool", "test", "rules", *files)
    failed = _failed(tested.stdout)
    assert len(failed) == len(files), tested.stdout
    assert failed[0] is False, f"the rule itself fails its tests: {tested.stdout}"
    survivors = [mutant.change for mutant, noticed in zip(changed, failed[1:], strict=True) if not noticed]
    assert not survivors


def _write(folder: Path, number: int, mutant: Mutant, alert: Alert) -> Path:
    rules = folder / f"{number}-rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "mutant", "rules": [mutant.rule]}]}))
    tests = folder / f"{number}-test.yaml"
    content = {"rule_files": [rules.name], "evaluation_interval": "15s", "tests": alert.tests}
    tests.write_text(yaml.safe_dump(content))
    return tests


def _failed(output: str) -> list[bool]:
    """For each file in turn, whether an expectation was not met. A file that cannot be read is neither."""
    reports = re.split(r"^Unit Testing: ", output, flags=re.MULTILINE)[1:]
    return [bool(re.search(r"alertname: \w+, time:", report)) for report in reports]
