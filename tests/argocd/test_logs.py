"""Each node's Fluent Bit brings the pods' logs to this environment's log group, and keeps what CloudWatch refuses."""

import pytest
import yaml

from tests.argocd.world import ARGO, FROM_AWS, Manifest, application

type Section = dict[str, str]

_VALUES: Manifest = yaml.safe_load((ARGO / "platform/values/fluent-bit.yaml").read_text())


def _section(part: str) -> Section:
    """The one section of a part of the configuration, its keys in lower case, as Fluent Bit reads them."""
    (head, *lines) = _VALUES["config"][part].splitlines()
    assert head == f"[{part.removesuffix('s').upper()}]"
    pairs = [line.split(maxsplit=1) for line in lines]
    return {key.lower(): value for key, value in pairs}


def test_the_fields_of_a_line_become_fields() -> None:
    section = _section("filters")
    assert (section["name"], section["merge_log"], section["keep_log"]) == ("kubernetes", "On", "Off")


def test_what_cloudwatch_does_not_take_is_kept_on_the_node() -> None:
    mounts = {each["mountPath"]: each for each in _VALUES["daemonSetVolumeMounts"]}
    kept = mounts["/var/lib/fluent-bit"]
    assert not kept.get("readOnly")
    (volume,) = (each for each in _VALUES["daemonSetVolumes"] if each["name"] == kept["name"])
    assert "hostPath" in volume, "it has to outlive the pod"
    assert _section("inputs")["storage.type"] == "filesystem"
    assert _section("service")["storage.path"].startswith("/var/lib/fluent-bit/")
    assert _section("inputs")["db"].startswith("/var/lib/fluent-bit/")
    assert _section("outputs")["storage.total_limit_size"], "a disk that is full stops the node"


def test_it_does_not_ship_its_own_lines() -> None:
    assert _section("inputs")["exclude_path"].startswith("/var/log/containers/fluent-bit-")


def test_it_writes_to_the_group_that_terraform_made_and_makes_none() -> None:
    section = _section("outputs")
    assert section["name"] == "cloudwatch_logs"
    assert (section["log_group_name"], section["auto_create_group"]) == ("${LOG_GROUP}", "Off")


@pytest.mark.parametrize("environment", FROM_AWS)
def test_each_environment_has_a_group_of_its_own(environment: str) -> None:
    (source, _) = application(environment, "fluent-bit")["spec"]["sources"]
    assert source["helm"]["valueFiles"][-1] == f"$values/argocd/envs/{environment}/platform/fluent-bit.yaml"
    own = yaml.safe_load((ARGO / "envs" / environment / "platform/fluent-bit.yaml").read_text())
    assert own["env"] == [{"name": "LOG_GROUP", "value": f"/taskhub/taskhub-{environment}/applications"}]


def test_prometheus_sees_whether_it_ships() -> None:
    service = _section("service")
    assert (service["http_server"], service["http_port"]) == ("On", "2020")
    assert _VALUES["serviceMonitor"]["enabled"]
    # The chart names the job by its release, which is called as the chart is.
    assert application("staging", "fluent-bit")["spec"]["sources"][0]["helm"]["releaseName"] == "fluent-bit"


def test_it_runs_on_every_node_and_may_change_nothing_but_its_state() -> None:
    assert _VALUES["tolerations"] == [{"operator": "Exists"}]
    context = _VALUES["securityContext"]
    assert context["readOnlyRootFilesystem"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert [each["mountPath"] for each in _VALUES["daemonSetVolumeMounts"] if not each.get("readOnly")] == [
        "/var/lib/fluent-bit"
    ]
