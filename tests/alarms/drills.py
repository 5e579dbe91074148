"""The drills: what is gone or wrong for as long as it takes to be told, and which row of failure-modes.yaml that is."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tests.alarms import wrong
from tests.alarms.conftest import Watched
from tests.e2e.cluster.secrets import MONITORING
from tests.e2e.kube import APPS, INGRESS, Kube

LOGGING, LOG_COLLECTOR, TRACE_COLLECTOR = "logging", "log-collector", "trace-collector"
_NOWHERE = "taskhub.example.com/nowhere"
_DISPATCHER = "worker-dispatcher"


@dataclass(frozen=True, slots=True)
class Drill:
    """One thing that is gone or wrong until it is put right."""

    name: str
    row: str
    """Of failure-modes.yaml: it says which alerts are the right ones, and which may fire beside them."""
    within_seconds: float
    """From the break to the notice: the rule's `for`, two scrapes and judgements of 15 s, and the 30 s for which
    Alertmanager waits for a cause, with room for a slow machine."""
    breaking: Callable[[Watched], AbstractContextManager[None]]
    cure: str = ""
    """What mends it: a piece of a block under "Mitigation" of the alert's runbook, which is run as it stands there."""
    told: str = "pages"
    """Of the receiver's two lists, the one that it comes to: "pages" or "tickets"."""
    alert: str = ""
    """Of the row's alerts the one that tells of this, where the others tell of something else; "": any of them."""

    def right(self, promised: Collection[str]) -> frozenset[str]:
        """Return those of the row's alerts that the drill waits for."""
        return frozenset(name for name in promised if self.alert in {"", name})


@contextmanager
def _without_deployment(kube: Kube, name: str, namespace: str) -> Iterator[None]:
    replicas = kube.deployment(name, namespace).spec.replicas
    kube.scale(name, 0, namespace)
    try:
        yield
    finally:
        kube.scale(name, replicas, namespace)


def _deployment(name: str, namespace: str = APPS) -> Callable[[Watched], AbstractContextManager[None]]:
    return lambda watched: _without_deployment(watched.kube, name, namespace)


def _stateful_set(name: str) -> Callable[[Watched], AbstractContextManager[None]]:
    @contextmanager
    def gone(watched: Watched) -> Iterator[None]:
        watched.kube.scale_stateful_set(name, 0)
        try:
            yield
        finally:
            watched.kube.scale_stateful_set(name, 1)

    return gone


@contextmanager
def without_servers(kube: Kube, kind: str, *, left: int = 0) -> Iterator[None]:
    """Inside the block Prometheus Operator runs `left` servers of that kind ("prometheuses", "alertmanagers")."""
    group = ("monitoring.coreos.com", "v1", "monitoring", kind, "taskhub")
    before = kube.custom.get_namespaced_custom_object(*group)["spec"]["replicas"]
    kube.custom.patch_namespaced_custom_object(*group, {"spec": {"replicas": left}})
    try:
        yield
    finally:
        kube.custom.patch_namespaced_custom_object(*group, {"spec": {"replicas": before}})


def _one_prometheus(watched: Watched) -> AbstractContextManager[None]:
    return without_servers(watched.kube, "prometheuses", left=1)


_ROLLBACK, _SECRET = "rollback api", "create secret tls"

DRILLS = (
    Drill("api", "api-all-lost", 180, _deployment("api"), "scale deployment api"),
    Drill("workers", "workers-gone", 180, _deployment("worker"), "scale deployment worker"),
    Drill("dispatchers", "dispatcher-killed", 180, _deployment(_DISPATCHER), f"scale deployment {_DISPATCHER}"),
    Drill("consumers", "consumers-gone", 180, _deployment("sqs-consumer"), "scale deployment sqs-consumer"),
    Drill("postgres", "postgresql-restarted", 180, _stateful_set("postgres"), "scale statefulset postgres"),
    Drill("redis", "redis-killed", 180, _stateful_set("redis"), "scale statefulset redis"),
    Drill("sqs", "sqs-away", 240, _stateful_set("elasticmq"), "scale statefulset elasticmq"),
    Drill(
        "elasticsearch", "elasticsearch-down", 240, _stateful_set("elasticsearch"), "scale statefulset elasticsearch"
    ),
    Drill("ingress", "ingress-lost", 180, _deployment("traefik", INGRESS), "scale deployment traefik"),
    Drill("route", "ingress-misconfigured", 180, wrong.ingress_of_another_host, _ROLLBACK),
    Drill("certificate", "certificate-wrong", 180, wrong.certificate_untrusted, _SECRET),
    Drill("certificate_end", "certificate-expires", 420, wrong.certificate_ends_soon, _SECRET),
    Drill("read_only", "postgresql-read-only", 180, wrong.database_read_only, "RESET default_transaction_read_only"),
    Drill("migration", "migration-fails", 180, wrong.migration_failed, _ROLLBACK),
    Drill("memory", "api-crash-loop", 420, wrong.api_without_memory, _ROLLBACK, "tickets"),
    Drill("poison", "poison-message", 240, wrong.poison, told="tickets"),
    Drill("node", "node-lost", 300, wrong.node_stopped, told="tickets"),
    Drill("connections", "postgresql-connections", 420, wrong.database_taken, "pg_terminate_backend", "tickets"),
    Drill(
        "redis_memory",
        "redis-full",
        420,
        wrong.redis_nearly_full,
        "redis flushall",
        "tickets",
        "RedisMemoryNearLimit",
    ),
    Drill(
        "exporter",
        "metrics-lost",
        420,
        _deployment("postgres-exporter", MONITORING),
        "scale deployment postgres-exporter",
        "tickets",
        "TargetMissing",
    ),
    Drill(
        "one_prometheus",
        "metrics-lost",
        240,
        _one_prometheus,
        "patch prometheus",
        "tickets",
        "PrometheusReplicaDown",
    ),
    Drill(
        "one_alertmanager",
        "paging-lost",
        240,
        wrong.alertmanager_without_place,
        told="tickets",
        alert="AlertmanagerReplicaDown",
    ),
)


@contextmanager
def without_log_collectors(kube: Kube) -> Iterator[None]:
    """Inside the block no node is one that a log collector runs on."""
    kube.place_daemon_set(LOG_COLLECTOR, LOGGING, {_NOWHERE: "true"})
    try:
        yield
    finally:
        kube.place_daemon_set(LOG_COLLECTOR, LOGGING, {_NOWHERE: None})


def without_trace_collector(kube: Kube) -> AbstractContextManager[None]:
    """Inside the block there is no trace collector."""
    return _without_deployment(kube, TRACE_COLLECTOR, MONITORING)


def without_dns(kube: Kube) -> AbstractContextManager[None]:
    """Inside the block no name of the cluster can be resolved."""
    return _without_deployment(kube, "coredns", "kube-system")


def is_gone(kube: Kube, app: str, namespace: str) -> bool:
    """Whether no pod of it runs, not even one that is told to end."""
    return not kube.pods(app, namespace) and not any(name.startswith(app) for name in kube.leaving(namespace))
