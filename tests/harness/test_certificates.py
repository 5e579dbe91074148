"""A client notices a bad certificate: shown by a real TLS server, on a connection of its own each time."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from tests.e2e.certificates import complaint, read_authority
from tests.e2e.reach import HOST, front

from taskhub_local.authority import new_authority
from taskhub_local.errors import LocalError


@contextmanager
def serving(folder: Path, secret: Mapping[str, str]) -> Iterator[int]:
    """A server that shakes hands and hangs up."""
    for name, content in secret.items():
        (folder / name).write_text(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    plain, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(plain, server_side=True):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize(
    ("issued", "said"),
    [
        ({"hosts": [HOST]}, ""),
        ({"hosts": [HOST], "valid_for": -timedelta(hours=1)}, "expired"),
        ({"hosts": ["somebody.else"]}, "mismatch"),
    ],
)
def test_a_client_complains_of_what_is_wrong(tmp_path: Path, issued: dict[str, object], said: str) -> None:
    authority = new_authority("ours")
    with serving(tmp_path, authority.issue(**issued)) as port:  # type: ignore[arg-type]
        heard = complaint(front(authority.pem).tls, port=port)
    assert said in heard
    assert bool(heard) is bool(said)


def test_a_client_complains_of_an_authority_that_it_does_not_trust(tmp_path: Path) -> None:
    with serving(tmp_path, new_authority().issue((HOST,))) as port:
        assert "unable to get local issuer" in complaint(front(new_authority("ours").pem).tls, port=port)


def test_an_authority_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="cannot be read"):
        read_authority(tmp_path / "ca.crt", tmp_path / "ca.key")
