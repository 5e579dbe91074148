"""The authority of the cluster's ingress, and a look at the certificate that the ingress shows."""

import socket
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from taskhub_local.authority import Authority
from taskhub_local.errors import LocalError
from tests.e2e.reach import ADDRESS, HOST, INGRESS_PORT

SECRET = "taskhub-tls"  # the Secret's name


def read_authority(certificate: Path, key: Path) -> Authority:
    """Read the authority of the cluster's ingress. Raises LocalError if it is not there."""
    try:
        secret = serialization.load_pem_private_key(key.read_bytes(), None)
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise LocalError(f"the ingress's authority cannot be read: {error}") from error
    if not isinstance(secret, ec.EllipticCurvePrivateKey):
        raise LocalError(f"{key} holds no elliptic curve key")
    return Authority(found, secret)


def complaint(context: ssl.SSLContext, *, host: str = HOST, port: int = INGRESS_PORT) -> str:
    """Shake hands with the ingress on a new connection: empty when a client is content, else what it complains of."""
    try:
        with (
            socket.create_connection((ADDRESS, port), timeout=3) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return str(error.verify_message)
    except OSError as error:
        return str(error)
