"""What Terraform has made becomes values of the charts."""

import json
from pathlib import Path

import pytest
import yaml
from tools.bridge import BadOutputs, values_by_chart, write

from tests.argocd.world import ARGO

_OUTPUTS = {
    "cluster": {"value": {"name": "taskhub-staging", "endpoint": "https://eks.example.com"}},
    "queue_url": {"value": "https://sqs.eu-central-1.amazonaws.com/111122223333/taskhub-staging-events"},
    "heartbeat_topic_arn": {"value": "arn:aws:sns:eu-central-1:111122223333:taskhub-staging-heartbeat"},
    "chart_values": {
        "value": {
            "api": {"queue": {"name": "taskhub-staging-events"}},
            "worker": {"queue": {"name": "taskhub-staging-events"}},
            "sqs-consumer": {"queue": {"name": "taskhub-staging-events"}},
        }
    },
}


@pytest.fixture
def envs(tmp_path: Path) -> Path:
    (tmp_path / "staging" / "terraform").mkdir(parents=True)
    (tmp_path / "kind").mkdir()
    return tmp_path


def test_each_chart_gets_a_file(envs: Path) -> None:
    written = write(json.loads(json.dumps(_OUTPUTS)), "staging", envs)
    assert [path.name for path in written] == ["api.yaml", "observability.yaml", "sqs-consumer.yaml", "worker.yaml"]
    assert yaml.safe_load(written[0].read_text()) == {"queue": {"name": "taskhub-staging-events"}}
    assert written[0].read_text().startswith("# Written by `python -m tools.bridge staging`")


def test_the_consumer_is_told_the_queue_that_keda_measures() -> None:
    values = values_by_chart(_OUTPUTS, "staging")["sqs-consumer"]
    assert values["keda"]["queueDepth"]["queueUrl"].endswith("/taskhub-staging-events")


def test_alertmanager_is_told_the_topic_of_the_dead_mans_switch() -> None:
    values = values_by_chart(_OUTPUTS, "staging")["observability"]
    assert values["alertmanager"]["heartbeat"]["topicArn"].endswith(":taskhub-staging-heartbeat")


def test_another_environments_outputs_are_refused(envs: Path) -> None:
    (envs / "prod" / "terraform").mkdir(parents=True)
    with pytest.raises(BadOutputs, match="outputs of taskhub-staging, not of taskhub-prod"):
        write(_OUTPUTS, "prod", envs)
    assert not list((envs / "prod" / "terraform").iterdir())


@pytest.mark.parametrize("missing", sorted(_OUTPUTS))
def test_outputs_that_are_not_there_are_named(envs: Path, missing: str) -> None:
    outputs = {name: value for name, value in _OUTPUTS.items() if name != missing}
    with pytest.raises(BadOutputs, match=missing):
        write(outputs, "staging", envs)


def test_an_environment_without_terraform_is_refused(envs: Path) -> None:
    with pytest.raises(BadOutputs, match="kind is not made by Terraform"):
        write(_OUTPUTS, "kind", envs)


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_the_files_in_the_repository_are_as_it_writes_them(environment: str) -> None:
    for path in sorted((ARGO / "envs" / environment / "terraform").iterdir()):
        head, _, body = path.read_text().partition("\n")
        assert head.startswith(f"# Written by `python -m tools.bridge {environment}`")
        assert body == yaml.safe_dump(yaml.safe_load(body), width=120)
