"""The kind task.reminder: mails the account when a task is due, if the task still wants it.

A task that was deleted, finished, or given another due time or no reminder since is left alone: the result then says
why. (The change itself submitted a reminder for the new time.)

Failures: a mail server that is away, slow or says "later" (4xx) is tried again for some hours; a refusal for good (5xx
for the receiver or the mail) makes the job dead. A worker that dies after the server took the mail sends it again, with
the same Message-ID and Idempotency-Key.
"""

import uuid
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import Connection

from taskhub_core.accounts import service as accounts
from taskhub_core.errors import NotFound
from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.registry import JobArgs, RetryPolicy, job_kind
from taskhub_core.mail import smtp
from taskhub_core.mail.message import Letter, build, one_line
from taskhub_core.tasks import service as tasks
from taskhub_core.tasks.status import TaskStatus
from taskhub_core.tasks.task import Task

_FINISHED = {TaskStatus.DONE, TaskStatus.CANCELLED}
_NOTES_CHARS = 2_000


class ReminderArgs(JobArgs):
    """Which task, and the due time that the reminder was made for."""

    task_id: uuid.UUID
    due_at: AwareDatetime


class NotSent(StrEnum):
    """Why a reminder was not sent."""

    DELETED = "the task was deleted"
    FINISHED = "the task is finished"
    TURNED_OFF = "the reminder was turned off"
    MOVED = "the due time was changed"


class Reminded(BaseModel):
    """What the job gives back."""

    sent: bool
    reason: NotSent | None = None


@job_kind(
    "task.reminder",
    args=ReminderArgs,
    retry=RetryPolicy(max_attempts=12, base_seconds=5, cap_seconds=3_600),
    submitted_by="system",
)
def task_reminder(job: JobContext, args: ReminderArgs) -> Reminded:
    """Mails the reminder of a due task, or says why it is not needed any more."""
    with job.engine.connect() as connection:
        found = _task(connection, job.account_id, args)
        if isinstance(found, NotSent):
            return Reminded(sent=False, reason=found)
        address = accounts.get(connection, job.account_id).email
    letter = Letter(job_id=job.id, to=address, subject=f"Due now: {found.title}", text=_text(found, args.due_at))
    message = build(letter, mail_from=job.settings.mail_from)
    job.check()
    smtp.send(message, job.settings)
    return Reminded(sent=True)


def _task(connection: Connection, account_id: uuid.UUID, args: ReminderArgs) -> Task | NotSent:
    try:
        task = tasks.get(connection, account_id, args.task_id)
    except NotFound:
        return NotSent.DELETED
    if task.status in _FINISHED:
        return NotSent.FINISHED
    if not task.remind:
        return NotSent.TURNED_OFF
    return task if task.due_at == args.due_at else NotSent.MOVED


def _text(task: Task, due_at: datetime) -> str:
    parts = [
        "Hello,",
        f"this task is due:\n\n    {one_line(task.title)}\n    {due_at.astimezone(UTC):%A, %d %B %Y, %H:%M} UTC",
    ]
    if task.tags:
        parts[-1] += f"\n    {', '.join(task.tags)}"
    if task.notes:
        notes = task.notes if len(task.notes) <= _NOTES_CHARS else task.notes[: _NOTES_CHARS - 1] + "…"
        parts.append(f"Your notes:\n\n{notes}")
    parts.append("You asked TaskHub to remind you. To stop reminders for a task, turn its reminder off.\n\nTaskHub")
    return "\n\n".join(parts) + "\n"
