"""What watches the kind cluster: valid, unprivileged, two of what must not be missed; it scrapes what alerts need."""

from typing import Any

import pytest
import yaml

from tests.charts.kubeconform import problems
from tests.charts.rendering import ROOT, Manifest, Rendering, manifests, of_kind, pods
from tests.charts.schemas import KUBERNETES
from tests.e2e.cluster import catalog
from tests.e2e.cluster.paths import HERE

FILES = sorted((HERE / "manifests" / "monitoring").glob("*.yaml"))
EXPORTERS = yaml.safe_load((ROOT / "observability" / "exporters.yaml").read_text())
_OBJECTS = [each for path in FILES for each in manifests(path.read_text())]
_CLIENTS = {"api", "worker", "dispatcher", "sqs-consumer", "reconciler"}
"""Scraped by their own charts' ServiceMonitors."""
_NOT_ON_KIND = {"argocd-metrics"}
_NO_ALERT_RESTS_ON = {"blackbox-exporter", "trace-collector"}
"""On what they say of themselves."""
_READS_FILES_OF_ROOT = "DaemonSet log-collector"
_BUILDING_SECONDS = 600


def _spec(kind: str) -> dict[str, Any]:
    (found,) = of_kind(_OBJECTS, kind)
    return dict(found["spec"])


def _jobs() -> set[str]:
    """The values of `job` that the monitors, the probes and the pods' labels come to."""
    names = {each["spec"]["jobName"] for each in of_kind(_OBJECTS, "Probe")}
    labels = [template["metadata"]["labels"] for _, template in pods(_OBJECTS)]
    names |= {
        each["app.kubernetes.io/name"]
        for each in labels
        if each.get("app.kubernetes.io/component") in {"exporter", "collector"}
    } - _NO_ALERT_RESTS_ON
    for monitor in of_kind(_OBJECTS, "PodMonitor", "ServiceMonitor"):
        spec = monitor["spec"]
        names |= {spec["selector"].get("matchLabels", {}).get(spec.get("jobLabel"))}
        names |= {name for each in spec["selector"].get("matchExpressions", []) for name in each["values"]}
        for endpoint in spec.get("podMetricsEndpoints", []):
            names |= {each["replacement"] for each in endpoint.get("relabelings", []) if each["targetLabel"] == "job"}
    return names - {None}


@pytest.mark.timeout(_BUILDING_SECONDS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_object_is_valid_to_the_last_field(path: Any) -> None:
    assert problems(path.read_text(), KUBERNETES[-1]) == ""


def test_there_are_two_of_what_must_not_be_missed_on_two_nodes() -> None:
    for kind in ("Prometheus", "Alertmanager"):
        spec = _spec(kind)
        assert spec["replicas"] == 2
        (apart,) = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert apart["topologyKey"] == "kubernetes.io/hostname"
        assert apart["labelSelector"]["matchLabels"] == {"app.kubernetes.io/name": kind.lower()}


def test_an_alertmanager_that_is_gone_holds_nobody_up_until_there_is_more_to_send() -> None:
    spec = _spec("Prometheus")
    (alertmanagers,) = spec["alerting"]["alertmanagers"]
    (again,) = [each["value"] for each in spec["additionalArgs"] if each["name"] == "rules.alert.resend-delay"]
    assert float(alertmanagers["timeout"].removesuffix("s")) < float(again.removesuffix("s"))


def test_every_pod_is_unprivileged_and_limited() -> None:
    specs: list[Manifest] = [pod["spec"] for _, pod in pods(_OBJECTS)]
    roots = [name for name, pod in pods(_OBJECTS) if pod["spec"]["securityContext"].get("runAsNonRoot") is not True]
    assert roots == [_READS_FILES_OF_ROOT]
    for spec in (*specs, _spec("Prometheus"), _spec("Alertmanager")):
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for spec in specs:
        for container in spec["containers"]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["readOnlyRootFilesystem"] is True
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
    for server in ("Prometheus", "Alertmanager"):
        assert _spec(server)["securityContext"]["runAsNonRoot"] is True
    for limited in (*(each["containers"][0] for each in specs), _spec("Prometheus"), _spec("Alertmanager")):
        assert {"cpu", "memory"} <= set(limited["resources"]["requests"])
        assert "memory" in limited["resources"]["limits"]


def test_every_job_that_alerts_rest_on_is_scraped_and_no_other() -> None:
    wanted = {
        job for each in EXPORTERS.values() if each["where"] in ("both", "kind") for job in each["job"].split(", ")
    }
    assert _jobs() == wanted - _CLIENTS - _NOT_ON_KIND


def test_what_reads_files_of_the_nodes_only_reads_them_but_for_its_own_state() -> None:
    (collector,) = of_kind(_OBJECTS, "DaemonSet")
    spec = collector["spec"]["template"]["spec"]
    folders = {each["name"]: each["hostPath"]["path"] for each in spec["volumes"] if "hostPath" in each}
    mounts = {folders[each["name"]]: each for each in spec["containers"][0]["volumeMounts"] if each["name"] in folders}
    assert [path for path, mount in mounts.items() if not mount.get("readOnly")] == ["/var/lib/log-collector"]
    assert collector["metadata"]["namespace"] == "logging", "the other namespaces admit no such pod"


def test_of_the_kubelet_exactly_the_metrics_that_alerts_rest_on_are_kept() -> None:
    kept: set[str] = set()
    for endpoint in _spec("ServiceMonitor")["endpoints"]:
        kept |= _kept(endpoint)
    assert kept == set(EXPORTERS["kubelet"]["metrics"])


def test_of_kube_state_metrics_exactly_the_metrics_that_alerts_rest_on_are_kept_as_they_are() -> None:
    monitors = {each["metadata"]["name"]: each["spec"] for each in of_kind(_OBJECTS, "PodMonitor")}
    (endpoint,) = monitors["kube-state-metrics"]["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True
    assert _kept(endpoint) == set(EXPORTERS["kube-state-metrics"]["metrics"])


def _kept(endpoint: dict[str, Any]) -> set[str]:
    (keep,) = endpoint["metricRelabelings"]
    assert keep["action"] == "keep"
    return set(keep["regex"].split("|"))


def test_what_the_nodes_open_is_open_on_this_machine_and_nothing_else_is() -> None:
    kind = yaml.safe_load((HERE / "kind.yaml").read_text())
    mapped = [each for node in kind["nodes"] for each in node.get("extraPortMappings", [])]
    assert {each["listenAddress"] for each in mapped} == {"127.0.0.1"}
    everything = [*_OBJECTS, *manifests((HERE / "manifests" / "traefik.yaml").read_text())]
    opened = {port["nodePort"] for each in of_kind(everything, "Service") for port in each["spec"]["ports"]
              if "nodePort" in port}  # fmt: skip
    for chart in ("backing", "observability"):
        values = yaml.safe_load(Rendering(chart, "kind").values_file.read_text())
        opened |= {part["nodePort"] for part in values.values() if isinstance(part, dict) and "nodePort" in part}
    assert {each["containerPort"] for each in mapped} == opened


def test_the_receiver_of_alerts_runs_from_an_image_that_the_nodes_have() -> None:
    values = yaml.safe_load((ROOT / "charts" / "observability" / "values.yaml").read_text())
    assert values["receiver"]["image"] in catalog.MONITORING


def test_nobody_is_let_in_or_out_but_by_a_policy_that_names_ports() -> None:
    policies = of_kind(_OBJECTS, "NetworkPolicy")
    (denying,) = [each for each in policies if not {"ingress", "egress"} & set(each["spec"])]
    (logging,) = [each for each in policies if each["metadata"]["namespace"] == "logging"]
    assert (logging["spec"]["podSelector"], logging["spec"]["policyTypes"]) == ({}, ["Ingress", "Egress"])
    assert denying["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for each in policies:
        for rules, peers in (("ingress", "from"), ("egress", "to")):
            for rule in each["spec"].get(rules, []):
                assert rule["ports"], each["metadata"]["name"]
                assert rule[peers], each["metadata"]["name"]
