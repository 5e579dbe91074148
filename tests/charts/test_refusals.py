"""A wrong value fails at `helm template`, before anything is installed, with a sentence that says what to do."""

import json

import pytest

from tests.charts.rendering import Refused, Rendering, template

_CASES = {
    "unknown-key": ("api", {"replicaz": 3}, "replicaz"),
    "unknown-key-deep": ("worker", {"worker": {"proceses": 4}}, "proceses"),
    "wrong-type": ("sqs-consumer", {"receivers": "many"}, "receivers"),
    "unknown-setting": ("api", {"config": {"TASKHUB_DRIAN_SECONDS": "5"}}, "TASKHUB_DRIAN_SECONDS"),
    "pdb-blocks-every-drain": ("api", {"pdb": {"minAvailable": 2, "maxUnavailable": ""}}, "raise the number of pods"),
    "pdb-of-none": ("worker", {"worker": {"pdb": {"maxUnavailable": 0}}}, "set worker.pdb.maxUnavailable to 1"),
    "limit-below-request": (
        "api",
        {"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "512Mi"}}},
        "raise the limit or lower the request",
    ),
    "no-secret": ("api", {"existingSecret": ""}, "set existingSecret"),
    "nothing-to-verify-with": ("worker", {"database": {"tls": {"caConfigMap": ""}}}, "database.tls.caConfigMap"),
    "nothing-to-verify": ("api", {"search": {"tls": {"caSecret": "taskhub-es-http-certs-public"}}}, "begin search.url"),
    "grace-shorter-than-drain-api": ("api", {"shutdown": {"graceSeconds": 10}}, "does not outlast"),
    "grace-shorter-than-drain-worker": ("worker", {"worker": {"shutdown": {"graceSeconds": 20}}}, "Raise it"),
    "grace-shorter-than-drain-consumer": ("sqs-consumer", {"shutdown": {"graceSeconds": 10}}, "Raise it"),
    "hpa-max-below-min": (
        "api",
        {"autoscaling": {"minReplicas": 5, "maxReplicas": 4}},
        "raise the one or lower the other",
    ),
    "hpa-and-keda": ("api", {"keda": {"enabled": True}}, "choose one"),
    "no-memory-limit": ("api", {"resources": {"limits": {"memory": None}}}, "resources.limits.memory"),
    "no-host": ("api", {"ingress": {"host": ""}}, "name the host"),
    "no-certificate": ("api", {"ingress": {"tls": {"secretName": ""}}}, "name the TLS Secret"),
}


@pytest.mark.parametrize(("chart", "values", "advice"), _CASES.values(), ids=_CASES)
def test_a_wrong_value_is_refused_with_what_to_do(
    chart: str, values: dict[str, object], advice: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wrong = tmp_path_factory.mktemp("values") / "wrong.yaml"
    wrong.write_text(json.dumps(values))
    with pytest.raises(Refused) as refusal:
        template(chart, ["--values", str(Rendering(chart, "kind").values_file), "--values", str(wrong)])
    assert advice.lower() in str(refusal.value).lower()
