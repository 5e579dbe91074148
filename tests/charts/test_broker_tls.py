"""A private CA of Redis: whoever speaks to it has the CA where the setting says, and nobody else."""

from typing import Any

import pytest

from tests.charts.rendering import Rendering, manifests, of_kind, pods, template

_DEPLOYMENTS = {"api": ["api"], "worker": ["worker", "worker-dispatcher"]}


def _objects(chart: str, *options: str) -> list[dict[str, Any]]:
    return manifests(template(chart, ["--values", str(Rendering(chart, "external").values_file), *options]))


def _with_ca(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pods that mount the CA, by their owner's name."""
    return {
        name.split()[1]: pod["spec"]
        for name, pod in pods(objects)
        if any(volume["name"] == "broker-ca" for volume in pod["spec"].get("volumes", []))
    }


@pytest.mark.parametrize(("chart", "deployments"), _DEPLOYMENTS.items())
def test_whoever_asks_redis_has_the_ca_and_nobody_else(chart: str, deployments: list[str]) -> None:
    objects = _objects(chart, "--set", "broker.tls.caConfigMap=redis-ca,broker.tls.caKey=root.pem")
    found = _with_ca(objects)
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
    objects = _objects(chart)
    assert not _with_ca(objects)
    assert "TASKHUB_REDIS_CA_FILE" not in str(objects)
