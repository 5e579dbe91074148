"""Reads and writes the folder that holds the mails, one file each, oldest first by name."""

import time
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from itertools import count
from pathlib import Path

_SUFFIX = ".eml"


@dataclass(frozen=True)
class Mail:
    """One mail as the server took it."""

    name: str
    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def subject(self) -> str:
        """The Subject header."""
        return str(self.message.get("Subject", ""))

    @property
    def text(self) -> str:
        """The plain text body; empty if there is none."""
        body = self.message.get_body(preferencelist=("plain",))
        return "" if body is None else str(body.get_content())


class Mailbox:
    """A folder of mails. Writers and readers may be different processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sequence = count()

    def store(self, sender: str, recipients: list[str], content: bytes) -> str:
        """Store a mail and return its name. The envelope is kept in headers, because the message may not name it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{next(self._sequence):06d}{_SUFFIX}"
        envelope = f"X-Envelope-From: {sender}\r\nX-Envelope-To: {', '.join(recipients)}\r\n".encode()
        temporary = self.folder / f"{name}.tmp"
        temporary.write_bytes(envelope + content)
        temporary.replace(self.folder / name)
        return name

    def messages(self) -> list[Mail]:
        """Return every mail, oldest first."""
        names = sorted(path.name for path in self.folder.glob(f"*{_SUFFIX}"))
        return [mail for name in names if (mail := self.read(name)) is not None]

    def read(self, name: str) -> Mail | None:
        """Return one mail by name, or None if there is none."""
        if Path(name).name != name or not name.endswith(_SUFFIX):
            return None
        try:
            content = (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        message = message_from_bytes(content, policy=default)
        recipients = tuple(part.strip() for part in str(message["X-Envelope-To"] or "").split(",") if part.strip())
        return Mail(name, str(message["X-Envelope-From"] or ""), recipients, message)

    def clear(self) -> None:
        """Delete every mail."""
        for path in self.folder.glob(f"*{_SUFFIX}"):
            path.unlink(missing_ok=True)
