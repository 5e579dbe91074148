"""A volume that a pod claims is encrypted, lies in the pod's zone, and is made by the driver that is installed."""

import pytest
import yaml

from tests.argocd.world import ARGO, FROM_AWS, ROOT, Manifest, all_renderings, annotations

_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def _default_class(environment: str) -> Manifest:
    classes = [each for _, each in all_renderings(environment) if each["kind"] == "StorageClass"]
    (found,) = (each for each in classes if annotations(each).get(_DEFAULT) == "true")
    return found


@pytest.mark.parametrize("environment", FROM_AWS)
def test_a_claim_without_a_class_gets_an_encrypted_disk(environment: str) -> None:
    assert _default_class(environment)["parameters"] == {"type": "gp3", "encrypted": "true"}


@pytest.mark.parametrize("environment", FROM_AWS)
def test_a_disk_is_made_where_its_pod_is_and_can_grow(environment: str) -> None:
    found = _default_class(environment)
    assert found["volumeBindingMode"] == "WaitForFirstConsumer"
    assert found["allowVolumeExpansion"] is True


@pytest.mark.parametrize("environment", FROM_AWS)
def test_terraform_installs_the_driver_of_the_class(environment: str) -> None:
    assert _default_class(environment)["provisioner"] == "ebs.csi.aws.com"
    assert '"aws-ebs-csi-driver"' in (ROOT / "infra/terraform/modules/cluster/volumes.tf").read_text()


@pytest.mark.parametrize("environment", FROM_AWS)
def test_whoever_claims_a_volume_leaves_its_class_to_the_default(environment: str) -> None:
    needs = yaml.safe_load_all((ARGO / "envs" / environment / "needs/elasticsearch.yaml").read_text())
    stack = yaml.safe_load((ARGO / "platform/values/kube-prometheus-stack.yaml").read_text())
    claims = [
        stack["prometheus"]["prometheusSpec"]["storageSpec"]["volumeClaimTemplate"],
        stack["alertmanager"]["alertmanagerSpec"]["storage"]["volumeClaimTemplate"],
        *(
            claim
            for each in needs
            for nodes in each["spec"].get("nodeSets", [])
            for claim in nodes["volumeClaimTemplates"]
        ),
    ]
    assert len(claims) == 3
    assert not [claim for claim in claims if "storageClassName" in claim["spec"]]
