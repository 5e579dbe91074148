"""A private CA of Redis: whoever speaks to it has the CA where the setting says, and nobody else."""

import pytest

from tests.charts.rendering import external, mounting, of_kind

_DEPLOYMENTS = {"api": ["api"], "worker": ["worker", "worker-dispatcher"]}


@pytest.mark.parametrize(("chart", "deployments"), _DEPLOYMENTS.items())
def test_whoever_asks_redis_has_the_ca_and_nobody_else(chart: str, deployments: list[str]) -> None:
    objects = external(chart, "--set", "broker.tls.caConfigMap=redis-ca,broker.tls.caKey=root.pem")
    found = mounting(objects, "broker-ca")
    assert sorted(found) == sorted(deployments)
    settings = {key: value for each in of_kind(objects, "ConfigMap") for key, value in each["data"].items()}
    for pod in found.values():
        (container,) = pod["containers"]
        (mount,) = (each for each in container["volumeMounts"] if each["name"] == "broker-ca")
        assert settings["TASKHUB_REDIS_CA_FILE"] == f"{mount['mountPath']}/root.pem"
        (volume,) = (each for each in pod["volumes"] if each["name"] == "broker-ca")
        assert volume["configMap"] == {"name": "redis-ca"}


@pytest.mark.parametrize("chart", _DEPLOYMENTS)
def test_without_a_ca_nothing_is_mounted(chart: str) -> None:
    objects = external(chart)
    assert not mounting(objects, "broker-ca")
    assert "TASKHUB_REDIS_CA_FILE" not in str(objects)
