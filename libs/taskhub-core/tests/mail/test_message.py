"""Mails as they are built: what people type stays text, whatever it contains."""

import uuid
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import cast

import pytest

from taskhub_core.jobs.errors import PermanentError
from taskhub_core.mail.message import SUBJECT_CHARS, Letter, build, one_line

JOB = uuid.UUID("0190f3b4-0000-7000-8000-000000000001")
FROM = "TaskHub <no-reply@taskhub.example>"


def _built(
    *, to: str = "reader@example.com", subject: str = "Hello", text: str = "Text", mail_from: str = FROM
) -> EmailMessage:
    """The mail as the receiver's program parses it."""
    letter = Letter(job_id=JOB, to=to, subject=subject, text=text)
    content = build(letter, mail_from=mail_from).as_bytes()
    assert content.isascii()
    return cast("EmailMessage", message_from_bytes(content, policy=default))


HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Idempotency-Key", "Auto-Submitted", "Content-Type",
    "Content-Transfer-Encoding", "MIME-Version",
}  # fmt: skip


@pytest.mark.parametrize(
    "subject",
    [
        "a\r\nBcc: b@example.com",
        "a\nTo: b@example.com\n\nbody",
        "a\rX: y",
        "a\x00b\x0bc\x0cd\x85e\u2028f",
        "=?utf-8?q?a=0ABcc:_b@example.com?=",
        "\u202egnp.exe",
        "x" * 5_000,
        "ü☕" * 400,
        "\ud800 broken",
        "",
    ],
)
def test_no_subject_becomes_a_header(subject: str) -> None:
    message = _built(subject=subject)
    assert set(message.keys()) <= HEADERS
    assert str(message["To"]) == "reader@example.com"
    assert len(str(message["Subject"])) <= SUBJECT_CHARS
    assert str(message.get_content()).strip() == "Text"


def test_letters_of_every_script_come_through() -> None:
    message = _built(subject="Grüße ☕ 茶", text="Zeile 1\n.\nFrom me: 茶 ☕\n")
    assert message["Subject"] == "Grüße ☕ 茶"
    assert message.get_content().replace("\r\n", "\n") == "Zeile 1\n.\nFrom me: 茶 ☕\n"
    assert message.get_content_type() == "text/plain"


def test_the_same_job_makes_the_same_mail() -> None:
    assert _built()["Message-ID"] == _built()["Message-ID"] == f"<{JOB}@taskhub.example>"
    assert _built()["Idempotency-Key"] == str(JOB)


def test_a_sender_without_a_name_is_a_sender() -> None:
    assert str(_built(mail_from="no-reply@taskhub.example")["From"]) == "no-reply@taskhub.example"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@b.example, c@d.example",
        "a@b.example\r\nBcc: c@d.example",
        "a b@c.example",
        "<a@b.example>",
        "@",
    ],
)
def test_what_is_not_one_address_is_refused(address: str) -> None:
    with pytest.raises(PermanentError):
        _built(to=address)


def test_one_line_cuts_and_cleans() -> None:
    assert one_line(" a\n\n\tb ") == "a b"
    assert one_line("abcdef", limit=4) == "abc…"
    assert one_line("abcd", limit=4) == "abcd"
