"""A private CA of Elasticsearch: whoever speaks to it has the CA where the setting says, and starts without it, too."""

import pytest

from tests.charts.rendering import external, mounting, of_kind

_DEPLOYMENTS = {"api": ["api"], "worker": ["worker"], "sqs-consumer": ["sqs-consumer", "sqs-consumer-reconciler"]}
_VALUES = ("--set", "search.tls.caSecret=taskhub-es-http-certs-public")


@pytest.mark.parametrize(("chart", "deployments"), _DEPLOYMENTS.items())
def test_whoever_searches_or_indexes_has_the_ca_and_nobody_else(chart: str, deployments: list[str]) -> None:
    objects = external(chart, *_VALUES)
    found = mounting(objects, "search-ca")
    assert sorted(found) == sorted(deployments)
    settings = {key: value for each in of_kind(objects, "ConfigMap") for key, value in each["data"].items()}
    for pod in found.values():
        (container,) = pod["containers"]
        (mount,) = (each for each in container["volumeMounts"] if each["name"] == "search-ca")
        assert settings["TASKHUB_ELASTICSEARCH_CA_FILE"] == f"{mount['mountPath']}/ca.crt"
        (volume,) = (each for each in pod["volumes"] if each["name"] == "search-ca")
        assert volume["secret"]["secretName"] == "taskhub-es-http-certs-public"
        assert volume["secret"]["optional"], "Elasticsearch away must keep no pod from starting"


@pytest.mark.parametrize("chart", _DEPLOYMENTS)
def test_without_a_ca_nothing_is_mounted(chart: str) -> None:
    objects = external(chart)
    assert not mounting(objects, "search-ca")
    assert "TASKHUB_ELASTICSEARCH_CA_FILE" not in str(objects)
