"""Rollouts, drains and autoscalers never leave fewer pods than promised, and never fight each other."""

import pytest

from tests.charts.rendering import Manifest, Rendering, manifests, of_kind, render, renderings

_TO_THE_INTERNET = ("-to-queue", "-to-webhooks", "-to-mail", "-to-broker", "-to-database", "-to-search")
"""What may lie outside the cluster at addresses that nobody knows beforehand: only the port is named then."""
_OURS = [rendering for rendering in renderings() if rendering.chart in ("api", "worker", "sqs-consumer")]


def _objects(rendering: Rendering) -> list[Manifest]:
    return manifests(render(rendering))


def _scaled(objects: list[Manifest]) -> set[str]:
    scalers = of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject")
    return {each["spec"]["scaleTargetRef"]["name"] for each in scalers}


@pytest.mark.parametrize("rendering", _OURS, ids=str)
def test_a_rollout_never_takes_a_pod_before_its_successor_is_ready(rendering: Rendering) -> None:
    for each in of_kind(_objects(rendering), "Deployment"):
        strategy = each["spec"]["strategy"]
        assert strategy["type"] == "RollingUpdate"
        assert strategy["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("rendering", _OURS, ids=str)
def test_replicas_belong_to_the_autoscaler_where_there_is_one(rendering: Rendering) -> None:
    objects = _objects(rendering)
    scaled = _scaled(objects)
    for each in of_kind(objects, "Deployment"):
        assert ("replicas" in each["spec"]) == (each["metadata"]["name"] not in scaled)


@pytest.mark.parametrize("rendering", _OURS, ids=str)
def test_only_one_autoscaler_has_a_workload(rendering: Rendering) -> None:
    scalers = of_kind(_objects(rendering), "HorizontalPodAutoscaler", "ScaledObject")
    targets = [each["spec"]["scaleTargetRef"]["name"] for each in scalers]
    assert len(targets) == len(set(targets))


@pytest.mark.parametrize("rendering", _OURS, ids=str)
def test_every_disruption_budget_lets_a_drain_through(rendering: Rendering) -> None:
    objects = _objects(rendering)
    budgets = of_kind(objects, "PodDisruptionBudget")
    assert budgets
    for each in budgets:
        assert each["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert each["spec"].get("maxUnavailable") not in (0, "0%")
        assert each["spec"].get("minAvailable") != "100%"


@pytest.mark.parametrize("rendering", _OURS, ids=str)
def test_pods_of_one_workload_are_kept_apart(rendering: Rendering) -> None:
    for each in of_kind(_objects(rendering), "Deployment"):
        spec = each["spec"]["template"]["spec"]
        ((rule, terms),) = spec["affinity"]["podAntiAffinity"].items()
        (term,) = [one["podAffinityTerm"] for one in terms] if rule.startswith("preferred") else terms
        # Old pods of a rollout that count push both new ones onto one node.
        for apart in (term, *spec["topologySpreadConstraints"]):
            assert apart["matchLabelKeys"] == ["pod-template-hash"]


@pytest.mark.parametrize("rendering", _OURS, ids=str)
def test_traffic_is_denied_unless_named(rendering: Rendering) -> None:
    policies = of_kind(_objects(rendering), "NetworkPolicy")
    denying = [each for each in policies if not {"ingress", "egress"} & set(each["spec"])]
    assert [sorted(each["spec"]["policyTypes"]) for each in denying] == [["Egress", "Ingress"]]
    for each in policies:
        for rules, peers in (("ingress", "from"), ("egress", "to")):
            for rule in each["spec"].get(rules, []):
                name = each["metadata"]["name"]
                assert rule.get("ports"), f"{name} opens every port"
                assert rule.get(peers) or name.endswith(_TO_THE_INTERNET), f"{name} lets everybody in or out"
