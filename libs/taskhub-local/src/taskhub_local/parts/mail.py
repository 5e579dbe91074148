"""The SMTP sink: takes every mail of the platform and shows it in the browser."""

import smtplib
import sys
from collections.abc import Mapping, Sequence
from urllib.error import URLError
from urllib.request import urlopen

from taskhub_local.mail.mailbox import Mailbox
from taskhub_local.parts.base import Part, PartFolders
from taskhub_local.ports import HOST


class MailPart(Part):
    """An SMTP server on loopback that keeps mail in files, and its web pages."""

    def __init__(
        self,
        folders: PartFolders,
        smtp_port: int,
        http_port: int,
        *,
        name: str = "mail",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name, folders, environment=environment)
        self.smtp_port = smtp_port
        self.http_port = http_port

    @property
    def url(self) -> str:
        """The page that lists the mail."""
        return f"http://{HOST}:{self.http_port}"

    @property
    def mailbox(self) -> Mailbox:
        """The mail that was taken."""
        return Mailbox(self.folders.data(self.name))

    def prepare(self) -> None:
        """Create the folder of mails."""
        self.folders.data(self.name).mkdir(parents=True, exist_ok=True)

    def command(self) -> Sequence[str]:
        """The server, in a process of its own."""
        ports = ["--smtp-port", str(self.smtp_port), "--http-port", str(self.http_port)]
        return [
            sys.executable,
            "-m",
            "taskhub_local.mail.server",
            *ports,
            "--folder",
            str(self.folders.data(self.name)),
        ]

    def is_ready(self) -> bool:
        """Whether both servers answer."""
        try:
            with smtplib.SMTP(HOST, self.smtp_port, timeout=2) as client:
                code, _ = client.noop()
            with urlopen(f"{self.url}/messages", timeout=2) as answer:  # noqa: S310 - our own loopback URL
                return bool(code == 250 and answer.status == 200)
        except (smtplib.SMTPException, URLError, OSError):
            return False
