"""What the fixtures hand to tests."""

from dataclasses import dataclass

from taskhub_local.mail.mailbox import Mail, Mailbox
from taskhub_local.ports import HOST


@dataclass(frozen=True)
class SqsQueueNames:
    """The two queues of one test process."""

    events: str
    dead_letter: str


@dataclass(frozen=True)
class SmtpSink:
    """An SMTP server that keeps what it takes."""

    port: int
    mailbox: Mailbox
    host: str = HOST

    def messages(self) -> list[Mail]:
        """Return every mail since the last `clear`, oldest first."""
        return self.mailbox.messages()

    def clear(self) -> None:
        """Forget every mail."""
        self.mailbox.clear()
