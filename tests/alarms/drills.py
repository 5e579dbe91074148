"""The drills: what is taken away for as long as it takes to be paged, and which row of failure-modes.yaml that is."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tests.e2e.cluster.secrets import MONITORING
from tests.e2e.kube import APPS, INGRESS, Kube

LOGGING, LOG_COLLECTOR, TRACE_COLLECTOR = "logging", "log-collector", "trace-collector"
_NOWHERE = "taskhub.example.com/nowhere"


@dataclass(frozen=True, slots=True)
class Drill:
    """One thing that is gone until it is put back."""

    name: str
    row: str
    """Of failure-modes.yaml: it says which alerts are the right ones, and which may fire beside them."""
    within_seconds: float
    """From the break to the page: the rule's `for`, two scrapes and judgements of 15 s, and the 30 s that Alertmanager
    waits for a cause, with room for a slow machine."""
    without: Callable[[Kube], AbstractContextManager[None]]


def _deployment(name: str, namespace: str = APPS) -> Callable[[Kube], AbstractContextManager[None]]:
    @contextmanager
    def gone(kube: Kube) -> Iterator[None]:
        replicas = kube.deployment(name, namespace).spec.replicas
        kube.scale(name, 0, namespace)
        try:
            yield
        finally:
            kube.scale(name, replicas, namespace)

    return gone


def _stateful_set(name: str) -> Callable[[Kube], AbstractContextManager[None]]:
    @contextmanager
    def gone(kube: Kube) -> Iterator[None]:
        kube.scale_stateful_set(name, 0)
        try:
            yield
        finally:
            kube.scale_stateful_set(name, 1)

    return gone


DRILLS = (
    Drill("api", "api-all-lost", 180, _deployment("api")),
    Drill("workers", "workers-gone", 180, _deployment("worker")),
    Drill("dispatchers", "dispatcher-killed", 180, _deployment("worker-dispatcher")),
    Drill("consumers", "consumers-gone", 180, _deployment("sqs-consumer")),
    Drill("postgres", "postgresql-restarted", 180, _stateful_set("postgres")),
    Drill("redis", "redis-killed", 180, _stateful_set("redis")),
    Drill("sqs", "sqs-away", 240, _stateful_set("elasticmq")),
    Drill("elasticsearch", "elasticsearch-down", 240, _stateful_set("elasticsearch")),
    Drill("ingress", "ingress-lost", 180, _deployment("traefik", INGRESS)),
)


@contextmanager
def without_servers(kube: Kube, kind: str) -> Iterator[None]:
    """Inside the block Prometheus Operator runs none of the servers of that kind ("prometheuses", "alertmanagers")."""
    group = ("monitoring.coreos.com", "v1", "monitoring", kind, "taskhub")
    before = kube.custom.get_namespaced_custom_object(*group)["spec"]["replicas"]
    kube.custom.patch_namespaced_custom_object(*group, {"spec": {"replicas": 0}})
    try:
        yield
    finally:
        kube.custom.patch_namespaced_custom_object(*group, {"spec": {"replicas": before}})


@contextmanager
def without_log_collectors(kube: Kube) -> Iterator[None]:
    """Inside the block no node is one that a log collector runs on."""
    kube.place_daemon_set(LOG_COLLECTOR, LOGGING, {_NOWHERE: "true"})
    try:
        yield
    finally:
        kube.place_daemon_set(LOG_COLLECTOR, LOGGING, {_NOWHERE: None})


@contextmanager
def without_trace_collector(kube: Kube) -> Iterator[None]:
    """Inside the block there is no trace collector."""
    kube.scale(TRACE_COLLECTOR, 0, MONITORING)
    try:
        yield
    finally:
        kube.scale(TRACE_COLLECTOR, 1, MONITORING)


def is_gone(kube: Kube, app: str, namespace: str) -> bool:
    """Whether no pod of it runs, not even one that is told to end."""
    return not kube.pods(app, namespace) and not any(name.startswith(app) for name in kube.leaving(namespace))
