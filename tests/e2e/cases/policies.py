"""What the cluster must refuse: connections that no NetworkPolicy allows, and pods that are not restricted."""

import json

from kubernetes.client import ApiException

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from tests.e2e.case import ClusterCase
from tests.e2e.cases.checks import nothing_failed
from tests.e2e.kube import APPS, BACKING, NAME_LABEL, asked
from tests.e2e.probe import Attempt, attempts
from tests.e2e.scene import Scene

_LEVEL = "pod-security.kubernetes.io/enforce"
_TABLE = "kube-network-policies"


async def hold_network_policies(scene: Scene) -> float:
    """Connect from pods that may and pods that may not, while nobody else's first packet is lost."""
    laid = await scene.do(_tables, scene)
    since = scene.stage.breaks("connect from pods that may not")
    migrate = {NAME_LABEL: "migrate", "app.kubernetes.io/instance": "api"}
    wanted = (
        Attempt("postgres", BACKING, 5432, from_namespace=APPS, labels=migrate, allowed=True),
        Attempt("postgres", BACKING, 5432, from_namespace=APPS, labels={}, allowed=False),
        Attempt("redis", BACKING, 6379, from_namespace=APPS, labels={}, allowed=False),
        Attempt("redis", BACKING, 6379, from_namespace=APPS, labels=migrate, allowed=False),
        Attempt("postgres", BACKING, 5432, from_namespace="default", labels={}, allowed=False),
        Attempt("elasticsearch", BACKING, 9200, from_namespace="default", labels={}, allowed=False),
    )
    results = await scene.do(attempts, scene.kube, wanted)
    wrong = [str(attempt) for attempt, connected in results if connected != attempt.allowed]
    if wrong:
        raise LocalError("; ".join(wrong))
    if laid != await scene.do(_tables, scene):
        raise LocalError("the rules were laid anew for a pod: packets that waited for the enforcer's word were lost")
    scene.stage.notes.append(f"{len(results)} connections tried, each went as it should")
    scene.stage.recovered("each went as it should")
    return since


def _tables(scene: Scene) -> list[int]:
    """Return the handle of the enforcer's table in each node: a table made anew has another one."""
    if not scene.kube.nodes_are_here():
        return []
    names = [node.metadata.name for node in scene.kube.nodes()]
    lists = [json.loads(scene.kube.in_node(name, "nft", "--json", "list", "tables")) for name in names]
    tables = [each["table"] for one in lists for each in one["nftables"] if "table" in each]
    return [table["handle"] for table in tables if table["name"] == _TABLE]


async def hold_pod_security(scene: Scene) -> float:
    """Every running pod is admitted by `restricted`, and one that asks for more is refused."""
    since = scene.stage.breaks("ask for a privileged pod")
    checked = 0
    for namespace in (APPS, BACKING):
        labels = (await scene.do(asked(scene.kube.core.read_namespace), namespace)).metadata.labels
        if labels.get(_LEVEL) != "restricted":
            raise LocalError(f"namespace {namespace} does not enforce `restricted`")
        await _refused(scene, namespace)
        warnings = await scene.do(_violations, scene, namespace)
        if warnings:
            raise LocalError(f"pods of {namespace} are not restricted: {'; '.join(warnings)}")
        checked += len((await scene.do(asked(scene.kube.core.list_namespaced_pod), namespace)).items)
    scene.stage.notes.append(f"{checked} pods are restricted; a privileged one was refused in each namespace")
    scene.stage.recovered("refused")
    return since


async def _refused(scene: Scene, namespace: str) -> None:
    bad = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "privileged-", "namespace": namespace},
        "spec": {"containers": [{"name": "bad", "image": "none", "securityContext": {"privileged": True}}]},
    }
    try:
        await scene.do(scene.kube.core.create_namespaced_pod, namespace, bad, dry_run="All")
    except ApiException as error:
        if error.status == 403 and "violates PodSecurity" in str(error.body):
            return
        raise LocalError(f"a privileged pod was refused for another reason: {error.status} {error.body}") from error
    raise LocalError(f"a privileged pod was admitted to {namespace}")


def _violations(scene: Scene, namespace: str) -> list[str]:
    """Ask what `restricted` would say of the pods that are there: the API server answers with warnings."""
    body = {"metadata": {"labels": {_LEVEL: "restricted", "pod-security.kubernetes.io/enforce-version": "latest"}}}
    _, _, headers = scene.kube.core.patch_namespace_with_http_info(namespace, body, dry_run="All")
    return [value for name, value in headers.items() if name.lower() == "warning"]


CASES = (
    ClusterCase(
        name="network_policies_hold",
        breaks="pods connect where no NetworkPolicy lets them",
        act=hold_network_policies,
        felt=Felt.MARKED,
        budget_seconds=120,
        counted_from="the first try",
        checks=(nothing_failed,),
    ),
    ClusterCase(
        name="pod_security_holds",
        breaks="privileged pods asked for",
        act=hold_pod_security,
        felt=Felt.MARKED,
        budget_seconds=30,
        counted_from="the first try",
        checks=(nothing_failed,),
    ),
)
