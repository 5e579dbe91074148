"""kind and EKS run the same charts: their values may differ only where the surroundings do."""

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.rendering import ROOT, Rendering

_MAY_DIFFER = (
    "image.*",  # from a registry, by digest
    "existingSecret",
    "database.poolSize",
    "database.tls.ca*",  # another CA; how it is verified is the same
    "broker.tls.ca*",  # on kind a private CA, ElastiCache has a public one
    "queue.*",  # ElasticMQ's address and keys, or AWS's own and a role
    "search.*",
    "mail.*",
    "telemetry.*",
    "serviceAccount.annotations.*",  # the role
    "serviceAccount.name",  # by which AWS knows whose role
    "ingress.*",
    "networkPolicy.*",  # where the flows go
    "monitoring.*",
    "config.TASKHUB_TRUSTED_PROXIES",
    "config.TASKHUB_REGISTER_LIMIT_PER_HOUR",  # on kind all clients come from one address
    "config.TASKHUB_LOGIN_LIMIT_PER_MINUTE",
    "config.TASKHUB_WEBHOOK_ALLOW_PRIVATE_ADDRESSES",  # on kind the receiver is a pod
    "*resources.*",  # sizes, not shapes
    "*processes",
    "*autoscaling.*",
    "*keda.*",
    "*replicas",
    "*topologySpread",  # kind has two workers
    "*lostNodeSeconds",
    "rollout.minReadySeconds",
    "shutdown.preStopSeconds",  # an AWS load balancer hears later
    "shutdown.graceSeconds",
    "timeouts.visibilitySeconds",  # tests wait for it
    "reconciler.*",
    "tmpSizeLimit",
)


def _leaves(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _values(*files: Path) -> dict[str, Any]:
    return {name: value for file in files for name, value in _leaves(yaml.safe_load(file.read_text()))}


def _eks(chart: str, values: str) -> dict[str, Any]:
    if values == "external":
        return _values(Rendering(chart, values).values_file)
    environment = ROOT / "argocd" / "envs" / values
    return _values(environment / "terraform" / f"{chart}.yaml", environment / f"{chart}.yaml")


@pytest.mark.parametrize("values", ["external", "staging", "prod"])
@pytest.mark.parametrize("chart", ["api", "worker", "sqs-consumer"])
def test_kind_and_eks_differ_only_in_what_surrounds_them(chart: str, values: str) -> None:
    kind, eks = _values(Rendering(chart, "kind").values_file), _eks(chart, values)
    different = {name for name in {*kind, *eks} if kind.get(name) != eks.get(name)}
    unexpected = {name for name in different if not any(fnmatch(name, pattern) for pattern in _MAY_DIFFER)}
    assert not unexpected, f"kind no longer proves what EKS runs: {sorted(unexpected)}"
