"""Makes Debian base images from Debian's package archive alone, under the names that the registry's have."""

import hashlib
import shutil
import tempfile
from pathlib import Path

from tests.e2e.cluster import engine
from tests.e2e.cluster.paths import cache
from tests.e2e.cluster.shell import run

# What the host trusts, its users' builds must trust too: a company's proxy signs with a certificate of its own.
_HOST_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_LEAN = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)
KEY_LABEL = "dev.taskhub.key"


def key(suite: str) -> str:
    """What decides the content of a base image: the suite, how it is made and the host's certificates."""
    digest = hashlib.sha256(f"{suite} {_LEAN} 1".encode())
    if _HOST_CERTIFICATES.exists():
        digest.update(_HOST_CERTIFICATES.read_bytes())
    return digest.hexdigest()[:12]


def make(suite: str, tag: str, log: Path) -> None:
    """Bootstrap a Debian suite and import it as `tag`."""
    if shutil.which("mmdebstrap") is None:
        engine.install_packages("mmdebstrap")
    command = ["mmdebstrap", "--variant=minbase", "--include=ca-certificates"]
    command += [f"--dpkgopt={option}" for option in _LEAN]
    changes = [f"LABEL {KEY_LABEL}={key(suite)}", "ENV LANG=C.UTF-8", 'CMD ["bash"]']
    if _HOST_CERTIFICATES.exists():
        command.append(f"--customize-hook=upload {_HOST_CERTIFICATES} {_HOST_CERTIFICATES}")
        changes += [f"ENV SSL_CERT_FILE={_HOST_CERTIFICATES} PIP_CERT={_HOST_CERTIFICATES}"]
    scratch = cache() / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"debian-{suite}.", dir=scratch) as folder:
        archive = Path(folder) / "root.tar"
        run([*command, suite, archive], log=log)
        engine.docker("import", *(f"--change={change}" for change in changes), str(archive), tag, log=log)
