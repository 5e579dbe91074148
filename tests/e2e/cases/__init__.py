"""The cases of `make e2e`, by name: the cheap ones first, those that shake the whole cluster last."""

from collections.abc import Mapping

from tests.e2e.case import ClusterCase
from tests.e2e.cases import (
    api,
    broker,
    database,
    dns,
    gitops,
    ingress,
    node,
    policies,
    queue,
    rollouts,
    rotation,
    scaling,
    search,
    servers,
    upgrade,
    worker,
)

_ORDER = (
    "api_pod_deleted",
    "pod_security_holds",
    "network_policies_hold",
    "tls_secret_wrong",
    "tls_certificate_expired",
    "poison_message",
    "api_container_killed",
    "dispatchers_deleted",
    "worker_pod_deleted",
    "worker_container_killed",
    "worker_frozen",
    "redis_deleted",
    "redis_wipe",
    "redis_partitioned",
    "elasticmq_deleted",
    "consumer_deleted",
    "postgres_deleted",
    "postgres_partitioned",
    "servers_untrusted",
    "ingress_deleted",
    "ingress_misconfigured",
    "dns_stopped",
    "bad_rollout",
    "api_out_of_memory",
    "worker_out_of_memory",
    "consumer_out_of_memory",
    "migration_fails",
    "elasticsearch_deleted",
    "elasticsearch_wipe",
    "rolling_upgrade",
    "secrets_rotated",
    "node_drained",
    "node_stopped",
    "api_scaled",
    "gitops_commit_synced",
    "gitops_changed_by_hand",
    "gitops_bad_release",
    "gitops_migration_fails",
    "gitops_component_removed",
    "gitops_two_environments",
    "gitops_argo_killed",
)
MODULES = (
    api,
    broker,
    database,
    dns,
    gitops,
    ingress,
    node,
    policies,
    queue,
    rollouts,
    rotation,
    scaling,
    search,
    servers,
    upgrade,
    worker,
)
_FOUND = {case.name: case for module in MODULES for case in module.CASES}

QUICK = frozenset(
    {
        "api_pod_deleted",
        "pod_security_holds",
        "network_policies_hold",
        "tls_secret_wrong",
        "poison_message",
        "api_container_killed",
        "worker_pod_deleted",
        "redis_wipe",
        "consumer_deleted",
        "postgres_deleted",
        "ingress_deleted",
        "bad_rollout",
        "elasticsearch_deleted",
    }
)
"""A short run: each part of the cluster, broken once."""

CASES: Mapping[str, ClusterCase] = {name: _FOUND[name] for name in _ORDER}
"""Every case, in the order in which they run."""

GROUPS: Mapping[str, frozenset[str]] = {
    module.__name__.rpartition(".")[2]: frozenset(case.name for case in module.CASES) for module in MODULES
}
"""The names of the cases of each module, by the module's."""
