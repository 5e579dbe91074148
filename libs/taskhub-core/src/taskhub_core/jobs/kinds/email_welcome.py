"""The kind email.welcome: greets a new account by mail.

Failures: a mail server that is away, slow or says "later" (4xx) is tried again for some hours; a refusal for good (5xx
for the receiver or the mail) makes the job dead. A worker that dies after the server took the mail sends it again, with
the same Message-ID and Idempotency-Key.
"""

from pydantic import BaseModel

from taskhub_core.accounts import service as accounts
from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.registry import NoArgs, RetryPolicy, job_kind
from taskhub_core.mail import smtp
from taskhub_core.mail.message import Letter, build

_TEXT = """\
Hello,

your TaskHub account {address} is ready.

A few things to try:
- Add tasks one by one, or import a whole list: CSV, JSON Lines, todo.txt, Taskwarrior and iCalendar files work.
- Ask for a reminder on a task with a due time, and it arrives here.
- Export everything again whenever you like.

If you did not open this account, somebody typed your address by mistake. You can ignore this mail.

TaskHub
"""


class Welcomed(BaseModel):
    """What the job gives back."""

    sent: bool


@job_kind(
    "email.welcome",
    args=NoArgs,
    retry=RetryPolicy(max_attempts=12, base_seconds=5, cap_seconds=3_600),
    submitted_by="system",
)
def email_welcome(job: JobContext, _args: NoArgs) -> Welcomed:
    """Mails the welcome to a new account."""
    with job.engine.connect() as connection:
        address = accounts.get(connection, job.account_id).email
    letter = Letter(job_id=job.id, to=address, subject="Welcome to TaskHub", text=_TEXT.format(address=address))
    message = build(letter, mail_from=job.settings.mail_from)
    job.check()
    smtp.send(message, job.settings)
    return Welcomed(sent=True)
