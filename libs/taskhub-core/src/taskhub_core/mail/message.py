"""Builds a mail so that no text of a user can become a header, and that a repeated send can be recognised as one."""

import re
import uuid
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, parseaddr

from taskhub_core.jobs.errors import PermanentError

SUBJECT_CHARS = 200

# 7 bit, because not every server on the way takes 8.
_POLICY = SMTP.clone(cte_type="7bit")

# What could end a header line, and what has no place in one line of text.
_NOT_IN_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_NOT_IN_BODY = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says, to whom. `subject` and `text` may hold anything; `job_id` makes repeated sends one mail."""

    job_id: uuid.UUID
    to: str
    subject: str
    text: str


def build(letter: Letter, *, mail_from: str) -> EmailMessage:
    """The mail as it goes out. Raises PermanentError when the receiver's address is none.

    Message-ID and Idempotency-Key come from the job's id: a server or reader that drops repeated Message-IDs shows the
    mail once, however often the job had to send it.
    """
    message = EmailMessage(policy=_POLICY)
    sender_name, sender = parseaddr(mail_from)
    message["From"] = Address(one_line(sender_name), addr_spec=sender)
    message["To"] = _recipient(letter.to)
    message["Subject"] = one_line(letter.subject, limit=SUBJECT_CHARS)
    message["Date"] = localtime()
    message["Message-ID"] = f"<{letter.job_id}@{sender.rpartition('@')[2]}>"
    message["Idempotency-Key"] = str(letter.job_id)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday replies, please
    message.set_content(_NOT_IN_BODY.sub("\N{REPLACEMENT CHARACTER}", letter.text))
    return message


def one_line(text: str, *, limit: int | None = None) -> str:
    """The text as a single line without control characters, cut to `limit` characters."""
    line = _NOT_IN_LINE.sub(" ", text).strip()
    if limit is not None and len(line) > limit:
        return line[: limit - 1] + "…"
    return line


def _recipient(address: str) -> Address:
    # Address parses one address and nothing else: a comma or a line break cannot add a receiver or a header.
    try:
        return Address(addr_spec=address)
    except (HeaderParseError, ValueError, IndexError) as error:
        raise PermanentError("The account's e-mail address is not one that mail can be sent to.") from error
