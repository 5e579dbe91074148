"""Bakes the node image of kind from the stand-ins: the control plane's images go into its containerd's store."""

import hashlib
import tempfile
from pathlib import Path

from tests.e2e.cluster import catalog, engine, versions
from tests.e2e.cluster.debian import KEY_LABEL
from tests.e2e.cluster.paths import cache
from tests.e2e.cluster.standins import build as build_stand_in
from tests.e2e.cluster.standins import has_key, stand_in

BASE = "taskhub.local/node-base:latest"
_CONTAINER = "taskhub-node-image"
# The tags that kubeadm and containerd's configuration ask for, and what every cluster of ours runs: what is in the node
# image is on the disk once, not once a node, and needs no loading.
_BAKED = {
    f"registry.k8s.io/kube-apiserver:{versions.KUBERNETES}": "taskhub.local/kubernetes:latest",
    f"registry.k8s.io/kube-controller-manager:{versions.KUBERNETES}": "taskhub.local/kubernetes:latest",
    f"registry.k8s.io/kube-scheduler:{versions.KUBERNETES}": "taskhub.local/kubernetes:latest",
    f"registry.k8s.io/kube-proxy:{versions.KUBERNETES}": "taskhub.local/kubernetes:latest",
    "registry.k8s.io/etcd:3.6.8-0": "taskhub.local/etcd:latest",
    "registry.k8s.io/coredns/coredns:v1.14.2": "taskhub.local/coredns:latest",
    "registry.k8s.io/pause:3.10": "taskhub.local/pause:latest",
    "registry.k8s.io/pause:3.10.2": "taskhub.local/pause:latest",
    f"docker.io/rancher/local-path-provisioner:{versions.LOCAL_PATH_PROVISIONER}": (
        "taskhub.local/local-path-provisioner:latest"
    ),
    **{tag: tag for tag in (*catalog.PLATFORM, *catalog.BACKING)},
}
PARTS = (BASE, *dict.fromkeys(_BAKED.values()))
# containerd runs in the build container only while the images are taken in.
_IMPORT = """
set -eu
containerd >/var/log/containerd-import.log 2>&1 &
for _ in $(seq 120); do ctr version >/dev/null 2>&1 && break; sleep 0.5; done
ctr --namespace k8s.io images import --no-unpack /images.tar >/dev/null
kill %1; wait %1 || true
rm -f /images.tar /var/log/containerd-import.log
"""


def key() -> str:
    """A hash of what decides the node image."""
    parts = [f"{tag}={stand_in(source).key}" for tag, source in _BAKED.items()]
    return hashlib.sha256("\n".join([*parts, stand_in(BASE).key, _IMPORT]).encode()).hexdigest()[:12]


def is_built() -> bool:
    """Whether the engine has the node image that would be built now."""
    return has_key(catalog.NODE, key())


def build() -> None:
    """Build it from its parts, which must be there. The tag moves only when the image is complete."""
    log = cache() / "logs" / "node-image.log"
    log.unlink(missing_ok=True)
    for part in PARTS:
        # A file may have changed since these were built; the label that the node image gets speaks of today's.
        if not has_key(part, stand_in(part).key):
            build_stand_in(stand_in(part))
    for tag, source in _BAKED.items():
        if tag != source:
            engine.docker("tag", source, tag, log=log)
    scratch = cache() / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="node-image.", dir=scratch) as folder:
        archive = Path(folder) / "images.tar"
        engine.docker("save", "--output", str(archive), *_BAKED, log=log)
        # A killed run may have left its container behind.
        if engine.docker("ps", "--all", "--quiet", "--filter", f"name=^{_CONTAINER}$").strip():
            engine.docker("rm", "--force", "--volumes", _CONTAINER, log=log)
        engine.docker(
            "run", "--detach", "--name", _CONTAINER, "--privileged", "--entrypoint", "sleep", BASE, "infinity", log=log
        )
        try:
            engine.docker("cp", str(archive), f"{_CONTAINER}:/images.tar", log=log)
            engine.docker("exec", _CONTAINER, "bash", "-c", _IMPORT, log=log)
            changes = ['ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]', f"LABEL {KEY_LABEL}={key()}"]
            engine.docker("commit", *(f"--change={change}" for change in changes), _CONTAINER, catalog.NODE, log=log)
        finally:
            engine.docker("rm", "--force", "--volumes", _CONTAINER, log=log)
