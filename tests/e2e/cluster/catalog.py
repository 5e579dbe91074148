"""The images that the cluster runs, by their upstream names; the applications' own are in apps.py."""

from tests.e2e.cluster import versions

PYTHON = "python:3.13-slim-trixie"
BACKING = (
    "postgres:17",
    "redis:8",
    f"softwaremill/elasticmq:{versions.ELASTICMQ}",
    f"docker.elastic.co/elasticsearch/elasticsearch:{versions.ELASTICSEARCH}",
)
PLATFORM = (
    f"traefik:{versions.TRAEFIK}",
    f"registry.k8s.io/metrics-server/metrics-server:{versions.METRICS_SERVER}",
    f"registry.k8s.io/networking/kube-network-policies:{versions.KUBE_NETWORK_POLICIES}",
)
MONITORING = (
    f"quay.io/prometheus-operator/prometheus-operator:{versions.PROMETHEUS_OPERATOR}",
    f"quay.io/prometheus-operator/prometheus-config-reloader:{versions.PROMETHEUS_OPERATOR}",
    f"quay.io/prometheus/prometheus:{versions.PROMETHEUS}",
    f"quay.io/prometheus/alertmanager:{versions.ALERTMANAGER}",
    f"quay.io/prometheus/blackbox-exporter:{versions.BLACKBOX_EXPORTER}",
    f"quay.io/prometheuscommunity/postgres-exporter:{versions.POSTGRES_EXPORTER}",
    f"quay.io/prometheuscommunity/elasticsearch-exporter:{versions.ELASTICSEARCH_EXPORTER}",
    f"quay.io/oliver006/redis_exporter:{versions.REDIS_EXPORTER}",
    f"registry.k8s.io/kube-state-metrics/kube-state-metrics:{versions.KUBE_STATE_METRICS}",
    f"otel/opentelemetry-collector-contrib:{versions.OTEL_CONTRIB.removeprefix('v')}",
    PYTHON,  # the receiver of the alerts
)
ARGO_CD = f"quay.io/argoproj/argocd:{versions.ARGO_CD}"
GIT_SERVER = "taskhub.local/git-server:v1"
# Argo CD's cache is the Redis among the backing services.
GITOPS = (ARGO_CD, GIT_SERVER)
# The node image: built here, or the one that this version of kind was released with.
NODE = f"kindest/node:{versions.KUBERNETES}"
UPSTREAM_NODE = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
