"""Refusals of an SMTP server, sorted: what is worth another try, and what is not."""

import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from taskhub_core.jobs.errors import PermanentError, RetryLater
from taskhub_core.mail.message import Letter, build
from taskhub_core.mail.smtp import send
from taskhub_core.settings import MailSettings

MESSAGE = build(
    Letter(job_id=uuid.uuid4(), to="reader@example.com", subject="Hello", text="Text"),
    mail_from="TaskHub <no-reply@taskhub.example>",
)


@dataclass
class Script:
    """An aiosmtpd handler that answers a command as it is told."""

    answers: dict[str, str] = field(default_factory=dict)
    taken: list[bytes] = field(default_factory=list)
    hangs_up: bool = False

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        answer = self.answers.get("RCPT", "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.taken.append(envelope.content)
        return self.answers.get("DATA", "250 OK")

    async def handle_QUIT(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802
        if self.hangs_up:
            _server.transport.abort()
        return "221 Bye"


@contextmanager
def _server(answers: dict[str, str], **options: Any) -> Iterator[tuple[Script, MailSettings]]:
    script = Script(answers)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(script, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield script, MailSettings(smtp_host="127.0.0.1", smtp_port=port, smtp_timeout_seconds=5)
    finally:
        controller.stop()


def test_a_mail_that_is_taken() -> None:
    with _server({}) as (script, settings):
        send(MESSAGE, settings)
    assert len(script.taken) == 1


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"RCPT": "550 no such user"}, PermanentError),
        ({"RCPT": "553 not allowed"}, PermanentError),
        ({"RCPT": "450 greylisted"}, RetryLater),
        ({"RCPT": "452 too many"}, RetryLater),
        ({"DATA": "554 looks like spam"}, PermanentError),
        ({"DATA": "451 try later"}, RetryLater),
        ({"MAIL": "550 who are you"}, RetryLater),
        ({"MAIL": "421 shutting down"}, RetryLater),
    ],
    ids=str,
)
def test_refusals_are_sorted(answers: dict[str, str], expected: type[Exception]) -> None:
    with _server(answers) as (_, settings), pytest.raises(expected) as refused:
        send(MESSAGE, settings)
    assert "reader@example.com" not in str(refused.value)


def test_a_connection_lost_after_the_mail_was_taken_does_not_send_it_again() -> None:
    with _server({}) as (script, settings):
        script.hangs_up = True
        send(MESSAGE, settings)
    assert len(script.taken) == 1


@pytest.mark.parametrize(
    "changes",
    [{"smtp_starttls": True}, {"smtp_username": "u", "smtp_password": "p"}],  # this server offers neither
    ids=["starttls", "login"],
)
def test_a_server_that_does_not_let_taskhub_in_can_be_mended(changes: dict[str, Any]) -> None:
    with _server({}) as (script, settings), pytest.raises(RetryLater):
        send(MESSAGE, MailSettings(**{**settings.model_dump(), **changes}))
    assert script.taken == []


def test_no_server_and_a_silent_one_are_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(RetryLater):
            send(MESSAGE, MailSettings(smtp_host="127.0.0.1", smtp_port=port, smtp_timeout_seconds=0.3))
        assert time.monotonic() - began < 5
    with pytest.raises(RetryLater, match="ConnectionRefusedError"):
        send(MESSAGE, MailSettings(smtp_host="127.0.0.1", smtp_port=port))
    with pytest.raises(RetryLater):
        send(MESSAGE, MailSettings(smtp_host="mail.invalid"))
