"""The Secrets of the test cluster: certificates, and what the apps sign and log in with."""

import base64
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from taskhub_local.authority import Authority, new_authority
from tests.e2e.certificates import read_authority
from tests.e2e.cluster.kube import Kubectl
from tests.e2e.cluster.paths import STATE
from tests.e2e.reach import HOST

APPS, BACKING, MONITORING = "taskhub", "taskhub-backing", "monitoring"
AUTHORITY, AUTHORITY_KEY = STATE / "ca.crt", STATE / "ca.key"
_TLS, _APP = "taskhub-tls", "taskhub-secrets"
BACKING_TLS = "backing-tls"
# Clients verify the name that they connect to, as with RDS and ElastiCache; the probes are on the pod's loopback.
SERVERS = (f"postgres.{BACKING}", f"redis.{BACKING}", "localhost")
_CA = "taskhub-ca"
PASSWORDS = "backing-secrets"
_LEAST_VALIDITY = timedelta(days=7)


def write(kubectl: Kubectl) -> None:
    """Make the Secrets. What is there and still good stays, so that running this again signs nobody out."""
    passwords = _kept(kubectl, BACKING, PASSWORDS) or {
        "POSTGRES_PASSWORD": secrets.token_hex(16),
        "POSTGRES_APP_PASSWORD": secrets.token_hex(16),
        "POSTGRES_MONITORING_PASSWORD": secrets.token_hex(16),
    }
    _put(kubectl, BACKING, PASSWORDS, passwords)
    signing = _kept(kubectl, APPS, _APP) or {
        "TASKHUB_JWT_KEYS": json.dumps({"kind-1": secrets.token_hex(32)}),
        "TASKHUB_JWT_ACTIVE_KID": "kind-1",
    }
    login = f"taskhub:{passwords['POSTGRES_APP_PASSWORD']}"
    _put(
        kubectl,
        APPS,
        _APP,
        {
            **signing,
            "TASKHUB_DATABASE_URL": f"postgresql://{login}@postgres.{BACKING}:5432/taskhub",
            "TASKHUB_REDIS_URL": f"rediss://redis.{BACKING}:6379/0",
            "TASKHUB_CACHE_URL": f"rediss://redis.{BACKING}:6379/1",
            # ElasticMQ does not look at them, but the AWS client wants some.
            "AWS_ACCESS_KEY_ID": "kind",
            "AWS_SECRET_ACCESS_KEY": "kind",
        },
    )
    _write_certificate(kubectl, APPS, _TLS, [HOST])
    _write_certificate(kubectl, BACKING, BACKING_TLS, SERVERS)
    kubectl.apply(authority_in(APPS))


def authority_in(namespace: str) -> dict[str, Any]:
    """The ConfigMap with the certificate of who signs in this cluster."""
    metadata = {"name": _CA, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": _authority().pem}}


def write_for_monitoring(kubectl: Kubectl) -> None:
    """Make what the exporters need: a login to PostgreSQL that only sees statistics, and the authority that signs."""
    passwords = _kept(kubectl, BACKING, PASSWORDS) or {}
    login = {"DATA_SOURCE_USER": "monitoring", "DATA_SOURCE_PASS": passwords["POSTGRES_MONITORING_PASSWORD"]}
    _put(kubectl, MONITORING, "postgres-exporter", login)
    kubectl.apply(authority_in(MONITORING))


def _write_certificate(kubectl: Kubectl, namespace: str, name: str, hosts: Sequence[str]) -> None:
    authority = _authority()
    kept = _kept(kubectl, namespace, name)
    if kept is not None and kept.get("ca.crt") == authority.pem and _is_valid(kept["tls.crt"]):
        return
    data = {**authority.issue(hosts), "ca.crt": authority.pem}
    _put(kubectl, namespace, name, data, kind="kubernetes.io/tls")


def _authority() -> Authority:
    """Who signs the certificates: kept with the cluster's state, because the tests trust it."""
    if AUTHORITY.exists() and AUTHORITY_KEY.exists() and _is_valid(AUTHORITY.read_text()):
        return read_authority(AUTHORITY, AUTHORITY_KEY)
    authority = new_authority("TaskHub's test cluster")
    key = authority.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    STATE.mkdir(parents=True, exist_ok=True)
    _write_private(AUTHORITY_KEY, key)
    AUTHORITY.write_text(authority.pem)
    return authority


def _is_valid(pem: str) -> bool:
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return certificate.not_valid_after_utc - datetime.now(UTC) > _LEAST_VALIDITY


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def _kept(kubectl: Kubectl, namespace: str, name: str) -> dict[str, str] | None:
    """What a Secret holds; None if there is no such Secret."""
    found = kubectl.json("--namespace", namespace, "get", "secrets", "--field-selector", f"metadata.name={name}")
    if not found["items"]:
        return None
    return {key: base64.b64decode(value).decode() for key, value in found["items"][0].get("data", {}).items()}


def _put(kubectl: Kubectl, namespace: str, name: str, data: dict[str, str], kind: str = "Opaque") -> None:
    metadata = {"name": name, "namespace": namespace}
    secret: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind}
    kubectl.apply({**secret, "stringData": data})
