"""A failed sync and a degraded application reach whoever is on call, by the alerts' own routes."""

import pytest
import yaml
from tools.promote.applications import evaluate

from tests.argocd.world import ENVIRONMENTS, ROOT, applications, documents, root

_TRIGGERS = ("on-sync-failed", "on-health-degraded")


def _settings() -> dict[str, str]:
    name = "argocd-notifications-cm"
    (found,) = (each for each in documents("bootstrap/settings") if each["metadata"]["name"] == name)
    data: dict[str, str] = found["data"]
    return data


def _alert(template: str, environment: str) -> dict[str, dict[str, str]]:
    application = {
        "metadata": {"name": f"{environment}-taskhub", "labels": {"environment": environment}},
        "status": {"operationState": {"message": "one or more synchronization tasks are not valid"}},
    }
    context = yaml.safe_load(_settings()["context"])
    text = evaluate(_settings()[f"template.{template}"], {"app": application, "context": context})
    alert: dict[str, dict[str, str]] = yaml.safe_load(text)["alertmanager"]
    return alert


def test_everybody_is_subscribed_to_both() -> None:
    (subscription,) = yaml.safe_load(_settings()["subscriptions"])
    assert set(subscription["triggers"]) == set(_TRIGGERS)
    assert [f"service.{name}" for name in subscription["recipients"]] == ["service.alertmanager"]
    assert yaml.safe_load(_settings()["service.alertmanager"])["targets"]


@pytest.mark.parametrize("trigger", _TRIGGERS)
def test_a_trigger_sends_a_template_that_is_there(trigger: str) -> None:
    (rule,) = yaml.safe_load(_settings()[f"trigger.{trigger}"])
    (template,) = rule["send"]
    assert f"template.{template}" in _settings()


@pytest.mark.parametrize("template", ["sync-failed", "health-degraded"])
def test_production_pages_and_the_others_open_a_ticket(template: str) -> None:
    routes = yaml.safe_load((ROOT / "observability/alertmanager/alertmanager.yaml").read_text())["route"]
    pages = [route for route in routes["routes"] if route["receiver"] == "pager"]
    assert 'severity = "page"' in pages[0]["matchers"]
    assert _alert(template, "prod")["labels"]["severity"] == "page"
    assert _alert(template, "staging")["labels"]["severity"] == "ticket"
    assert _alert(template, "prod")["labels"]["application"] == "prod-taskhub"


def test_a_failed_sync_says_why() -> None:
    assert "tasks are not valid" in _alert("sync-failed", "prod")["annotations"]["summary"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_application_has_the_label_that_the_templates_read(environment: str) -> None:
    for each in (root(environment), *applications(environment)):
        assert each["metadata"]["labels"]["environment"] == environment, each["metadata"]["name"]
