"""Reads the committed rules and their promtool tests."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
RULES = ROOT / "observability" / "rules"
TESTS = RULES / "tests"


@dataclass(frozen=True)
class Alert:
    """An alerting rule, and the promtool tests that are about it."""

    file: str
    rule: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """What Alertmanager calls it."""
        return str(self.rule["alert"])

    @property
    def expr(self) -> str:
        """When it is true, in PromQL."""
        return str(self.rule["expr"])

    @cached_property
    def tests(self) -> list[dict[str, Any]]:
        """The tests that ask for this alert."""
        every = _load(TESTS / f"{self.file}.yaml")["tests"]
        return [test for test in every if self.name in {ask["alertname"] for ask in asks(test)}]


def rule_files() -> list[Path]:
    """Every file of rules."""
    return sorted(RULES.glob("*.yaml"))


def rules() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every rule, recording ones too, with the name of its file."""
    for path in rule_files():
        for group in _load(path)["groups"]:
            for rule in group["rules"]:
                yield path.stem, rule


def alerts() -> list[Alert]:
    """Every alert."""
    return [Alert(file, rule) for file, rule in rules() if "alert" in rule]


def asks(test: dict[str, Any]) -> list[dict[str, Any]]:
    """What a promtool test asks about alerts, in the order of time as it is written."""
    found: list[dict[str, Any]] = test.get("alert_rule_test", [])
    return found


_CACHE: dict[Path, Any] = {}


def _load(path: Path) -> Any:
    if path not in _CACHE:
        _CACHE[path] = yaml.safe_load(path.read_text())
    return _CACHE[path]
