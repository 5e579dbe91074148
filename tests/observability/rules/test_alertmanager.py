"""Whom an alert reaches, and that one cause pages once, asked of a real Alertmanager."""

import re
import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import yaml

from taskhub_local.ports import any_free
from taskhub_local.testing import wait_for
from tests.observability.rules.programs import alertmanager_program, run
from tests.observability.rules.reading import ROOT, alerts

CONFIG = ROOT / "observability" / "alertmanager" / "alertmanager.yaml"
SEVERITY = {alert.name: alert.rule["labels"]["severity"] for alert in alerts()}
RECEIVERS = {
    "ApiDown": "pager",
    "ApiAvailabilityBurnsFast": "pager",
    "ApiSlow": "tickets",
    "Watchdog": "dead-mans-switch",
    "OutageAlreadyPaged": "nobody",
}

# What fires when something breaks; the first is the one that may page.
CAUSES = {
    "PostgreSQL": [
        "PostgresDown", "ApiAvailabilityBurnsFast", "ApiLatencyBurnsFast", "Ingress5xx", "WorkersStalled",
        "JobsWaitLong", "JobStartBurnsFast", "JobQueueUnmeasured", "DispatcherLoopStalled", "OutboxOld",
        "ConsumerStalled", "SqsBacklogOld", "SearchFreshnessBurnsFast", "ConsumerPaused",
    ],
    "PostgreSQL's primary": [
        "PostgresReadOnly", "ApiAvailabilityBurnsFast", "JobsWaitLong", "WorkersStalled", "OutboxOld",
    ],
    "Redis": [
        "RedisDown", "WorkersStalled", "JobsWaitLong", "JobStartBurnsFast", "DispatcherLoopStalled",
    ],
    "SQS": [
        "SqsDown", "OutboxOld", "ConsumerStalled", "SqsBacklogOld", "SearchFreshnessBurnsFast",
        "SqsQueueUnreadable",
    ],
    "Elasticsearch": [
        "ElasticsearchDown", "ElasticsearchRed", "ConsumerStalled", "SqsBacklogOld",
        "SearchFreshnessBurnsFast", "SearchDegraded",
    ],
    "the index": [
        "SearchIndexMissing", "ConsumerStalled", "SqsBacklogOld", "SearchFreshnessBurnsFast",
        "SearchDegraded",
    ],
    "the API": [
        "ApiDown", "IngressNoTarget", "Ingress5xx", "ApiAvailabilityBurnsFast", "AlbNoTarget", "Alb5xx",
    ],
    "the workers": [
        "WorkersDown", "WorkersStalled", "JobsWaitLong", "JobStartBurnsFast", "LeasesRescued",
    ],
    "the dispatcher": [
        "DispatcherDown", "DispatcherLoopStalled", "WorkersStalled", "JobsWaitLong", "JobStartBurnsFast",
        "OutboxOld", "SearchFreshnessBurnsFast",
    ],
    "the consumers": [
        "ConsumersDown", "ConsumerStalled", "SqsBacklogOld", "SearchFreshnessBurnsFast",
    ],
    "the ingress": [
        "IngressDown", "Ingress5xx", "ApiAvailabilityBurnsFast",
    ],
    "the certificate": [
        "CertificateWrong", "CertificateExpiresSoon", "CertificateExpiring",
    ],
    "an overload": [
        "ApiSaturated", "ApiAvailabilityBurnsFast", "ApiLatencyBurnsFast",
    ],
    "stuck workers": [
        "WorkersStalled", "JobsWaitLong", "JobStartBurnsFast",
    ],
}  # fmt: skip


def test_alertmanager_accepts_the_configuration() -> None:
    checked = run("amtool", "check-config", CONFIG)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", RECEIVERS)
def test_an_alert_reaches_whom_its_severity_says(name: str) -> None:
    labels = [f"alertname={name}", f"severity={SEVERITY[name]}"]
    routed = run("amtool", "config", "routes", "test", f"--config.file={CONFIG}", *labels)
    assert routed.stdout.splitlines()[-1] == RECEIVERS[name]


def test_the_configuration_names_only_alerts_that_there_are() -> None:
    matchers = [
        matcher
        for rule in yaml.safe_load(CONFIG.read_text())["inhibit_rules"]
        for side in ("source_matchers", "target_matchers")
        for matcher in rule[side]
    ]
    named = [name for matcher in matchers for name in re.findall(r'"(.*)"', matcher)[0].split("|")]
    assert not [name for name in named if not any(re.fullmatch(name, alert) for alert in SEVERITY)]


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a running Alertmanager with our configuration (its receivers are nowhere: nobody is asked here)."""
    folder = tmp_path_factory.mktemp("alertmanager")
    address = f"127.0.0.1:{any_free()}"
    command = [
        alertmanager_program(),
        f"--config.file={CONFIG}",
        f"--storage.path={folder}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with (folder / "log").open("wb") as log, httpx.Client(base_url=f"http://{address}", timeout=10) as client:
        running = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(lambda: _is_ready(client), deadline_seconds=30, message=f"it did not start, see {folder}/log")
            yield client
        finally:
            running.terminate()
            running.wait(20)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("firing", CAUSES.values(), ids=CAUSES)
def test_one_cause_pages_once(alertmanager: httpx.Client, firing: list[str]) -> None:
    cluster = _fire(alertmanager, firing)
    wait_for(
        lambda: [name for name in _heard(alertmanager, cluster) if SEVERITY[name] == "page"] == [firing[0]],
        deadline_seconds=20,
        message=f"not one page: {_heard(alertmanager, cluster)}",
    )


@pytest.mark.parametrize("firing", CAUSES.values(), ids=CAUSES)
def test_what_follows_from_a_cause_is_heard_when_it_comes_alone(alertmanager: httpx.Client, firing: list[str]) -> None:
    for name in firing:
        cluster = _fire(alertmanager, [name])
        wait_for(lambda: _heard(alertmanager, cluster) == [name], message=f"{name} is not heard")  # noqa: B023 - called here


def test_an_outage_that_has_ended_is_not_paged_again_as_a_burning_budget(alertmanager: httpx.Client) -> None:
    cluster = _fire(alertmanager, ["OutageAlreadyPaged", "ApiAvailabilityBurnsFast", "JobStartBurnsFast"])
    wait_for(lambda: _heard(alertmanager, cluster) == ["OutageAlreadyPaged"])


def test_two_causes_page_twice(alertmanager: httpx.Client) -> None:
    cluster = _fire(alertmanager, ["ElasticsearchDown", "RedisDown"])
    wait_for(lambda: _heard(alertmanager, cluster) == ["ElasticsearchDown", "RedisDown"])


def _fire(client: httpx.Client, names: list[str]) -> str:
    """Posts alerts of a cluster of their own, so that tests do not hear each other; returns the cluster."""
    cluster = uuid.uuid4().hex
    now = datetime.now(UTC)
    posted = [
        {
            "labels": {"alertname": name, "severity": SEVERITY[name], "cluster": cluster},
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(minutes=10)).isoformat(),
        }
        for name in names
    ]
    client.post("/api/v2/alerts", json=posted).raise_for_status()
    return cluster


def _heard(client: httpx.Client, cluster: str) -> list[str]:
    """Which alerts of the cluster are not inhibited."""
    found: list[dict[str, Any]] = client.get("/api/v2/alerts", params={"filter": f'cluster="{cluster}"'}).json()
    return sorted(one["labels"]["alertname"] for one in found if not one["status"]["inhibitedBy"])
