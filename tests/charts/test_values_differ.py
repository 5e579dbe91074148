"""kind and EKS run the same charts: their values may differ only where the surroundings do."""

from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

import pytest
import yaml

from tests.charts.rendering import Rendering

_MAY_DIFFER = (
    "image.*",  # from a registry, by digest
    "existingSecret",
    "database.poolSize",
    "database.tls.*",
    "queue.*",  # ElasticMQ's address and keys, or AWS's own and a role
    "search.*",
    "mail.*",
    "telemetry.*",
    "serviceAccount.annotations.*",  # the role
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


def _values(chart: str, values: str) -> dict[str, Any]:
    return dict(_leaves(yaml.safe_load(Rendering(chart, values).values_file.read_text())))


@pytest.mark.parametrize("chart", ["api", "worker", "sqs-consumer"])
def test_kind_and_eks_differ_only_in_what_surrounds_them(chart: str) -> None:
    kind, eks = _values(chart, "kind"), _values(chart, "external")
    different = {name for name in {*kind, *eks} if kind.get(name) != eks.get(name)}
    unexpected = {name for name in different if not any(fnmatch(name, pattern) for pattern in _MAY_DIFFER)}
    assert not unexpected, f"kind no longer proves what EKS runs: {sorted(unexpected)}"
