"""How the fault driver reaches the cluster: the ingress and a few NodePorts, all of them on 127.0.0.1."""

import ssl
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import httpx

from taskhub_local.faults import plain
from taskhub_local.faults.observed import Delivery
from taskhub_local.faults.reach import Front, job_id_of_mail

HOST = "taskhub.localhost"
ADDRESS = "127.0.0.1"
INGRESS_PORT = 18443
POSTGRES_PORT = 15432
ELASTICSEARCH_PORT = 19200
SQS_PORT = 19324
REDIS_PORT = 16379
SINK_PORT = 18025
SINK_URL = f"http://{ADDRESS}:{SINK_PORT}"
SINK_INSIDE = "http://sink.taskhub-backing:8025"


@dataclass(frozen=True, slots=True)
class ClusterReach:
    """The addresses, which stay the same whatever becomes of the pods behind them."""

    database_url: str
    api_url: str = f"https://{ADDRESS}:{INGRESS_PORT}"
    elasticsearch_url: str | None = f"http://{ADDRESS}:{ELASTICSEARCH_PORT}"

    @property
    def metrics_urls(self) -> Mapping[str, str]:
        """None: what the pods' metrics say stays in the cluster."""
        return {}

    def mails(self, recipient: str) -> Iterator[uuid.UUID]:
        """Yield the job id of each mail to that address which the sink holds. Raises httpx.HTTPError."""
        answer = plain.get(f"{SINK_URL}/mails", params={"recipient": recipient}, timeout_seconds=10)
        for mail in answer.raise_for_status().json()["mails"]:
            yield job_id_of_mail(mail["message_id"])


class SinkHooks:
    """The sink's receiver of webhooks, under a name of its own for each case."""

    def __init__(self) -> None:
        self._name = uuid.uuid4().hex

    @property
    def url(self) -> str:
        """Where the workers deliver to."""
        return f"{SINK_INSIDE}/hooks/{self._name}"

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Everything that arrived so far, repeats included. Raises httpx.HTTPError."""
        answer = plain.get(f"{SINK_URL}/hooks/{self._name}", timeout_seconds=10)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return ()
        arrived = answer.raise_for_status().json()["deliveries"]
        return tuple(Delivery(uuid.UUID(one["delivery_id"]), uuid.UUID(one["event_id"])) for one in arrived)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What arrived stays with the sink: a failed case may want to look at it."""


def from_outside(url: str, port: int) -> str:
    """Return a URL of the apps, such as PostgreSQL's, with this machine's address and a NodePort in it."""
    parts = urlsplit(url)
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return urlunsplit(parts._replace(netloc=f"{login}{ADDRESS}:{port}"))


def front(authority: str) -> Front:
    """Return how clients address the ingress. `authority`: the certificate of who signed the ingress's own, as PEM."""
    return Front(HOST, ssl.create_default_context(cadata=authority))
