"""What the driver needs of a platform, wherever that runs: as processes of one machine, or as pods of a cluster."""

import ssl
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from taskhub_local.faults.observed import Delivery


class Reach(Protocol):
    """Addresses on this machine, to be asked anew each time, and what cannot be had by an address alone."""

    @property
    def api_url(self) -> str:
        """Where clients find the API."""

    @property
    def database_url(self) -> str:
        """PostgreSQL itself, also where the apps reach it through a proxy."""

    @property
    def elasticsearch_url(self) -> str | None:
        """Elasticsearch, if the platform has it."""

    @property
    def metrics_urls(self) -> Mapping[str, str]:
        """/metrics of each process that can be asked."""

    def mails(self, recipient: str) -> Iterable[uuid.UUID]:
        """Yield the job id in the Message-ID of each mail to that address, repeats included."""


class Hooks(Protocol):
    """A receiver of webhooks."""

    @property
    def url(self) -> str:
        """Where TaskHub is to deliver to."""

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Everything that arrived so far, repeats included."""


@dataclass(frozen=True, slots=True)
class Front:
    """How to address a platform behind an ingress that is reached at a loopback address."""

    host: str
    """The name that requests and the TLS handshake carry."""
    tls: ssl.SSLContext
    """Trusts the authority that signed for it."""


def job_id_of_mail(message_id: str) -> uuid.UUID:
    """Return the job id that TaskHub puts into a mail's Message-ID. Raises ValueError for other people's mails."""
    return uuid.UUID(message_id.strip("<> ").partition("@")[0])
