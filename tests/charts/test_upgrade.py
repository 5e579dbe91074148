"""An upgrade from the last released chart changes no field that Kubernetes would refuse to change."""

import pytest

from tests.charts.immutable import fields_of, immutable_fields, last_release


@pytest.mark.parametrize("chart", ["api", "worker", "sqs-consumer", "backing"])
def test_an_upgrade_changes_no_immutable_field(chart: str) -> None:
    before, now = last_release(chart), fields_of(chart)
    assert before, "the last release had none: something is wrong with its record"
    for name in before.keys() & now.keys():
        assert now[name] == before[name], f"{name}: helm upgrade would fail, unless the object gets another name"


def test_a_changed_selector_would_be_found() -> None:
    deployment = {"kind": "Deployment", "metadata": {"name": "api"}, "spec": {"selector": {"matchLabels": {"a": "b"}}}}
    other = {"kind": "Deployment", "metadata": {"name": "api"}, "spec": {"selector": {"matchLabels": {"a": "c"}}}}
    assert immutable_fields(deployment) != immutable_fields(other)
