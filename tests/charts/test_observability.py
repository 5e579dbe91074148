"""The chart of alerts carries the very files that the tests of the rules test, with this installation's links."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.rendering import ROOT, Refused, Rendering, manifests, of_kind, render, template
from tests.observability.rules.programs import run

RULES = ROOT / "observability" / "rules"
ALERTMANAGER = ROOT / "observability" / "alertmanager" / "alertmanager.yaml"


def _committed(runbooks: str, grafana: str) -> dict[str, Any]:
    links = {"https://taskhub.example.com/runbooks": runbooks, "https://grafana.example.com": grafana}
    found = {}
    for path in RULES.glob("*.yaml"):
        text = path.read_text()
        for ours, theirs in links.items():
            text = text.replace(ours, theirs)
        found[path.stem] = yaml.safe_load(text)
    return found


def _installed() -> dict[str, Any]:
    objects = of_kind(manifests(render(Rendering("observability", "external"))), "PrometheusRule")
    return {each["metadata"]["name"].removeprefix("taskhub-"): each["spec"] for each in objects}


def test_the_operator_gets_the_rules_that_are_tested() -> None:
    assert _installed() == _committed("https://runbooks.example.com/taskhub", "https://dashboards.example.com")


def test_a_prometheus_that_reads_files_gets_them_as_they_are() -> None:
    text = template(
        "observability",
        ["--values", str(Rendering("observability", "kind").values_file), "--set", "rules.kind=ConfigMap"],
    )
    (rules,) = [each for each in of_kind(manifests(text), "ConfigMap") if each["metadata"]["name"] == "taskhub-rules"]
    assert set(rules["data"]) == {path.name for path in RULES.glob("*.yaml")} - {"aws.yaml"}
    for name, text in rules["data"].items():
        assert text.strip() == (RULES / name).read_text().strip()


def test_alertmanager_gets_the_configuration_that_is_tested() -> None:
    (secret,) = of_kind(manifests(render(Rendering("observability", "kind"))), "Secret")
    assert secret["stringData"]["alertmanager.yaml"].strip() == ALERTMANAGER.read_text().strip()


def test_the_receiver_is_where_the_values_say() -> None:
    text = template("observability", ["--set", "alertmanager.receiver=https://pager.example.com/hook"])
    (secret,) = of_kind(manifests(text), "Secret")
    receivers = yaml.safe_load(secret["stringData"]["alertmanager.yaml"])["receivers"]
    urls = [hook["url"] for each in receivers for hook in each.get("webhook_configs", [])]
    assert urls == [f"https://pager.example.com/hook/{path}" for path in ("pages", "tickets", "watchdog")]


def test_every_dashboard_is_carried() -> None:
    objects = of_kind(manifests(render(Rendering("observability", "external"))), "ConfigMap")
    carried = {name for each in objects for name in each["data"]}
    assert carried == {path.name for path in (ROOT / "observability" / "dashboards" / "json").glob("*.json")}


def test_on_kind_the_second_watcher_is_not_on_a_node_that_cases_stop() -> None:
    (receiver,) = of_kind(manifests(render(Rendering("observability", "kind"))), "Deployment")
    pod = receiver["spec"]["template"]["spec"]
    control_plane = "node-role.kubernetes.io/control-plane"
    assert pod["nodeSelector"] == {control_plane: ""}
    assert [each["key"] for each in pod["tolerations"]] == [control_plane]


def test_the_watchdog_also_calls_a_topic_outside_the_cluster() -> None:
    topic = "arn:aws:sns:eu-central-1:111122223333:taskhub-heartbeat"
    (secret,) = of_kind(manifests(render(Rendering("observability", "external"))), "Secret")
    config = yaml.safe_load(secret["stringData"]["alertmanager.yaml"])
    receivers = {each["name"]: each for each in config["receivers"]}
    assert receivers["dead-mans-switch"]["sns_configs"] == [
        {"topic_arn": topic, "sigv4": {"region": "eu-central-1"}, "send_resolved": False}
    ]
    assert receivers["dead-mans-switch"]["webhook_configs"], "the receiver of pages hears it as before"
    assert [name for name, each in receivers.items() if "sns_configs" in each] == ["dead-mans-switch"]


def test_alertmanager_accepts_what_it_gets_with_a_topic(tmp_path: Path) -> None:
    (secret,) = of_kind(manifests(render(Rendering("observability", "external"))), "Secret")
    config = tmp_path / "alertmanager.yaml"
    config.write_text(secret["stringData"]["alertmanager.yaml"])
    checked = run("amtool", "check-config", config)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("topic", ["taskhub-heartbeat", "arn:aws:sqs:eu-central-1:111122223333:taskhub-events"])
def test_what_is_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(Refused, match="topicArn"):
        template("observability", ["--set", f"alertmanager.heartbeat.topicArn={topic}"])
