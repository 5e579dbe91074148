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
# The node image: built here, or the one that this version of kind was released with.
NODE = f"kindest/node:{versions.KUBERNETES}"
UPSTREAM_NODE = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
