"""Every alert says what it must say, and was seen to fire, to stay silent just below, and to end."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.observability.rules.programs import run
from tests.observability.rules.reading import TESTS, Alert, alerts, asks, rule_files

EVERY_ALERT = pytest.mark.parametrize("alert", [pytest.param(alert, id=alert.name) for alert in alerts()])
COMPONENTS = {"api", "jobs", "postgresql", "redis", "sqs", "search", "ingress", "kubernetes", "observability"}


def test_prometheus_accepts_every_rule() -> None:
    checked = run("promtool", "check", "rules", *rule_files())
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in sorted(TESTS.glob("*.yaml"))])
def test_rules_behave_as_their_tests_say(path: Path) -> None:
    tested = run("promtool", "test", "rules", path)
    assert tested.returncode == 0, tested.stdout


def test_every_file_of_rules_has_its_tests() -> None:
    assert {path.name for path in TESTS.glob("*.yaml")} == {path.name for path in rule_files()}


def test_no_two_alerts_share_a_name() -> None:
    repeated = [name for name, count in Counter(alert.name for alert in alerts()).items() if count > 1]
    assert not repeated


@EVERY_ALERT
def test_an_alert_says_how_urgent_it_is_and_whom_it_concerns(alert: Alert) -> None:
    labels = alert.rule["labels"]
    reaches_nobody = alert.name in {"Watchdog", "OutageAlreadyPaged"}
    assert labels["severity"] in ({"none"} if reaches_nobody else {"page", "ticket"})
    assert labels["component"] in COMPONENTS


@EVERY_ALERT
def test_an_alert_says_what_happened_with_numbers_and_where_to_go_on(alert: Alert) -> None:
    texts = alert.rule["annotations"]
    assert set(texts) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert len(texts["summary"]) <= 100
    assert texts["description"].rstrip().endswith(".")
    assert texts["runbook_url"].endswith(f"/{alert.name}.md")
    # A sum over everything that is 0 or absent has nothing to tell but that.
    silent = re.search(r"absent|vector\(|== 0|< 1|== 1|> 0|>= 400", alert.expr)
    assert silent or "{{ $value" in texts["description"], "the description does not tell the value"


@EVERY_ALERT
def test_an_alert_was_seen_to_fire_and_to_end(alert: Alert) -> None:
    if alert.name == "Watchdog":
        return
    assert any(_fires_then_ends(test) for test in alert.tests)


@EVERY_ALERT
def test_an_alert_was_seen_to_stay_silent(alert: Alert) -> None:
    if alert.name == "Watchdog":
        return
    assert any(not any(ask["exp_alerts"] for ask in asks(test)) for test in alert.tests)


def _fires_then_ends(test: dict[str, object]) -> bool:
    fired = [bool(ask["exp_alerts"]) for ask in asks(test)]
    return True in fired and not fired[-1]
