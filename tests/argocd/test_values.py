"""What an environment's values name is there: secrets, configuration, and the parts of the platform."""

import re
from pathlib import Path

import pytest
import yaml

from tests.argocd.world import (
    ARGO,
    FROM_AWS,
    ROOT,
    Manifest,
    all_renderings,
    application,
    applications,
    own_sources,
    render,
)
from tests.charts.rendering import CHARTS, pods
from tests.e2e.cluster import secrets

# Public, of AWS, and too large for here: docs/guides/gitops.md says how it comes there.
_CA_BUNDLE = ("ConfigMap", "rds-ca")


def _objects(environment: str, name: str) -> list[Manifest]:
    made = application(environment, name)
    return [each for source in own_sources(made) for each in render(made, source)]


def _keys_read(environment: str) -> set[tuple[str, str]]:
    """Each key of a Secret that TaskHub reads, with the Secret's name."""
    found = set()
    for each in _objects(environment, "taskhub"):
        for reference in _references(each):
            found.add((reference["name"], reference["key"]))
    return found


def _references(part: object) -> list[Manifest]:
    if isinstance(part, list):
        return [found for each in part for found in _references(each)]
    if not isinstance(part, dict):
        return []
    own = [part["secretKeyRef"]] if "secretKeyRef" in part else part.get("secretTargetRef", [])
    return [*own, *(found for value in part.values() for found in _references(value))]


@pytest.mark.parametrize("environment", FROM_AWS)
def test_every_secret_that_is_read_is_copied_from_this_environments_own(environment: str) -> None:
    (copied,) = (each for each in _objects(environment, "needs") if each["kind"] == "ExternalSecret")
    keys = {(copied["spec"]["target"]["name"], each["secretKey"]) for each in copied["spec"]["data"]}
    assert len(keys) >= 8
    assert _keys_read(environment) == keys
    for each in copied["spec"]["data"]:
        assert each["remoteRef"]["key"] == f"taskhub-{environment}/{each['secretKey']}"


@pytest.mark.parametrize("environment", FROM_AWS)
def test_every_configuration_that_is_mounted_is_made(environment: str) -> None:
    objects = _objects(environment, "taskhub")
    made = {(each["kind"], each["metadata"]["name"]) for each in objects} | {_CA_BUNDLE}
    mounted = {
        ("ConfigMap", volume["configMap"]["name"])
        for _, pod in pods(objects)
        for volume in pod["spec"]["volumes"]
        if "configMap" in volume
    }
    assert _CA_BUNDLE in mounted
    assert mounted <= made


def test_kind_reads_the_secrets_that_make_cluster_makes() -> None:
    source = Path(secrets.__file__).read_text()
    for name, key in _keys_read("kind"):
        assert f'"{name}"' in source
        assert f'"{key}"' in source


@pytest.mark.parametrize("chart", ["api", "worker", "sqs-consumer", "backing"])
def test_kind_has_the_values_of_the_clusters_own_tests(chart: str) -> None:
    """So that what `make e2e` proves is what Argo CD runs."""
    assert (ARGO / "envs/kind" / f"{chart}.yaml").resolve() == CHARTS / chart / "ci/kind-values.yaml"


@pytest.mark.parametrize("environment", FROM_AWS)
def test_elasticsearch_is_where_the_apps_look_and_lets_them_in(environment: str) -> None:
    (engine,) = (each for each in _objects(environment, "needs") if each["kind"] == "Elasticsearch")
    (policy,) = (each for each in _objects(environment, "needs") if each["kind"] == "NetworkPolicy")
    cluster = {"elasticsearch.k8s.elastic.co/cluster-name": engine["metadata"]["name"]}
    namespace = application(environment, "needs")["spec"]["destination"]["namespace"]
    for chart in ("api", "worker", "sqs-consumer"):
        values = yaml.safe_load((ARGO / "envs" / environment / f"{chart}.yaml").read_text())
        assert values["search"]["url"] == f"https://{engine['metadata']['name']}-es-http.{namespace}:9200"
        # Where ECK puts the CA of its certificates.
        assert values["search"]["tls"] == {"caSecret": f"{engine['metadata']['name']}-es-http-certs-public"}
        assert values["search"]["apiKey"]["enabled"]
        assert values["networkPolicy"]["flows"]["search"]["peers"] == [{"podSelector": {"matchLabels": cluster}}]
    assert "tls" not in engine["spec"].get("http", {}), "ECK makes its certificate"
    assert policy["spec"]["podSelector"] == {"matchLabels": cluster}
    (apps, _operator) = policy["spec"]["ingress"][0]["from"]
    wanted = apps["podSelector"]["matchLabels"].items()
    clients = [pod for name, pod in pods(_objects(environment, "taskhub")) if name.startswith("Deployment")]
    assert all(wanted <= pod["metadata"]["labels"].items() for pod in clients)


@pytest.mark.parametrize("environment", FROM_AWS)
def test_the_load_balancer_lets_go_of_a_pod_before_the_pod_stops_serving(environment: str) -> None:
    values = yaml.safe_load((ARGO / "envs" / environment / "api.yaml").read_text())
    attributes = values["ingress"]["annotations"]["alb.ingress.kubernetes.io/target-group-attributes"]
    (seconds,) = re.findall(r"deregistration_delay\.timeout_seconds=(\d+)", attributes)
    assert int(seconds) < values["shutdown"]["preStopSeconds"]
    assert values["ingress"]["annotations"]["alb.ingress.kubernetes.io/healthcheck-path"] == "/readyz"
    assert values["ingress"]["annotations"]["alb.ingress.kubernetes.io/listen-ports"] == '[{"HTTPS": 443}]'


@pytest.mark.parametrize("environment", FROM_AWS)
def test_an_environment_has_everything_of_its_own(environment: str) -> None:
    """No name of another environment in what one applies: no shared queue, repository, secret or host."""
    (other,) = set(FROM_AWS) - {environment}
    texts = [yaml.safe_dump(each) for _, each in all_renderings(environment) if each["kind"] != "AppProject"]
    for text in texts:
        if "kind: ApplicationSet" not in text:
            assert f"taskhub-{other}" not in text


@pytest.mark.parametrize("environment", FROM_AWS)
def test_alerts_are_routed_by_the_file_that_alertmanager_reads(environment: str) -> None:
    values = yaml.safe_load((ARGO / "platform/values/kube-prometheus-stack.yaml").read_text())
    wanted = values["alertmanager"]["alertmanagerSpec"]["configSecret"]
    made = _objects(environment, "monitors")
    assert wanted in [each["metadata"]["name"] for each in made if each["kind"] == "Secret"]
    assert application(environment, "monitors")["spec"]["destination"]["namespace"] == "monitoring"


def test_a_prometheus_gives_an_alertmanager_up_before_there_is_more_to_send() -> None:
    values = yaml.safe_load((ARGO / "platform/values/kube-prometheus-stack.yaml").read_text())
    spec = values["prometheus"]["prometheusSpec"]
    (endpoint,) = spec["alertingEndpoints"]
    (resend,) = (each["value"] for each in spec["additionalArgs"] if each["name"] == "rules.alert.resend-delay")
    assert int(endpoint["timeout"].removesuffix("s")) < int(resend.removesuffix("s")) / 2
    assert endpoint["port"] == values["alertmanager"]["alertmanagerSpec"]["portName"]


@pytest.mark.parametrize("environment", FROM_AWS)
def test_this_environments_dead_mans_switch_hears_the_watchdog(environment: str) -> None:
    (secret,) = (each for each in _objects(environment, "monitors") if each["kind"] == "Secret")
    receivers = yaml.safe_load(secret["stringData"]["alertmanager.yaml"])["receivers"]
    topics = [topic["topic_arn"] for each in receivers for topic in each.get("sns_configs", [])]
    assert [topic.rsplit(":", 1)[1] for topic in topics] == [f"taskhub-{environment}-heartbeat"]


def test_every_file_of_platform_values_belongs_to_a_chart() -> None:
    charts = {
        source["chart"]
        for environment in FROM_AWS
        for name in _platform(environment)
        for source in application(environment, name)["spec"]["sources"]
        if "chart" in source
    }
    files = {path.stem for path in (ROOT / "argocd").glob("**/platform/values/*.yaml")}
    files |= {path.stem for path in (ROOT / "argocd").glob("envs/*/platform/*.yaml")}
    assert files == charts


def _platform(environment: str) -> list[str]:
    return [
        each["metadata"]["name"].removeprefix(f"{environment}-")
        for each in applications(environment)
        if each["spec"]["project"] == "platform"
    ]
