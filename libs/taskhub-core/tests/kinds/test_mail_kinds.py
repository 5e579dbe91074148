"""What email.welcome and task.reminder promise: one mail, to the account's own address, only while it is wanted."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from taskhub_core.jobs.errors import PermanentError, RetryLater
from taskhub_core.tasks import service as tasks
from taskhub_core.tasks.formats import TaskDraft
from taskhub_core.tasks.service import NewTask, TaskPatch
from taskhub_core.tasks.status import TaskStatus
from taskhub_core.tasks.task import Task
from taskhub_local.testing import SmtpSink

DUE = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
type Create = Callable[..., Task]


@pytest.fixture
def create(engine: Engine, account_id: uuid.UUID) -> Create:
    def create(**values: Any) -> Task:
        draft = TaskDraft(**{"title": "Water the plants", "due_at": DUE, **values})
        with engine.begin() as connection:
            return tasks.create(connection, account_id, [NewTask(draft, remind=True)])[0]

    return create


def _reminder_of(engine: Engine, task: Task) -> uuid.UUID:
    """The reminder that storing the task submitted, due by now."""
    with engine.begin() as connection:
        statement = text("UPDATE jobs SET run_at = now() WHERE args ->> 'task_id' = :id RETURNING id")
        job_id: uuid.UUID = connection.execute(statement, {"id": str(task.id)}).scalars().one()
        return job_id


def test_the_welcome_mail_greets_the_account(jobs: Any, account_id: uuid.UUID, smtp_sink: SmtpSink) -> None:
    job_id = jobs.submit(account_id, "email.welcome")
    assert jobs.attempt(job_id) == {"sent": True}
    (mail,) = smtp_sink.messages()
    assert mail.recipients == ("reader@example.com",)
    assert mail.sender == "no-reply@taskhub.example"
    assert mail.subject == "Welcome to TaskHub"
    assert "reader@example.com" in mail.text
    assert mail.message["Message-ID"] == f"<{job_id}@taskhub.example>"
    assert mail.message["Idempotency-Key"] == str(job_id)
    assert mail.message["Auto-Submitted"] == "auto-generated"


def test_a_reminder_names_the_task_and_its_due_time(
    jobs: Any, engine: Engine, smtp_sink: SmtpSink, create: Create
) -> None:
    task = create(title="Tee trinken ☕", notes="Grün\n.\nohne Zucker", tags=("home",))
    assert jobs.attempt(_reminder_of(engine, task)) == {"sent": True, "reason": None}
    (mail,) = smtp_sink.messages()
    assert mail.recipients == ("reader@example.com",)
    assert mail.subject == "Due now: Tee trinken ☕"
    assert f"{DUE:%d %B %Y, %H:%M} UTC" in mail.text
    assert "Grün\n.\nohne Zucker" in mail.text.replace("\r\n", "\n")
    assert "home" in mail.text


def test_a_reminder_that_runs_twice_is_recognisable_as_one_mail(
    jobs: Any, engine: Engine, smtp_sink: SmtpSink, create: Create
) -> None:
    job_id = _reminder_of(engine, create())
    jobs.attempt(job_id)
    with engine.begin() as connection:  # as if the worker had died after the mail was sent
        connection.execute(text("UPDATE jobs SET state = 'queued', finished_at = NULL, dispatched_at = NULL"))
    jobs.attempt(job_id)
    first, second = smtp_sink.messages()
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.message["Idempotency-Key"] == second.message["Idempotency-Key"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": TaskStatus.DONE}, "the task is finished"),
        ({"status": TaskStatus.CANCELLED}, "the task is finished"),
        ({"remind": False}, "the reminder was turned off"),
        ({"due_at": None}, "the due time was changed"),
        ({"due_at": DUE + timedelta(hours=1)}, "the due time was changed"),
        (None, "the task was deleted"),
    ],
)
def test_a_reminder_that_is_no_longer_wanted_is_not_sent(
    jobs: Any, engine: Engine, account_id: uuid.UUID, smtp_sink: SmtpSink, create: Create, change: Any, reason: str
) -> None:
    task = create()
    job_id = _reminder_of(engine, task)
    with engine.begin() as connection:
        if change is None:
            tasks.delete(connection, account_id, task.id, expected_version=None)
        else:
            tasks.update(connection, account_id, task.id, TaskPatch(change), expected_version=None)
    assert jobs.attempt(job_id) == {"sent": False, "reason": reason}
    assert smtp_sink.messages() == []


def test_other_changes_keep_the_reminder(
    jobs: Any, engine: Engine, account_id: uuid.UUID, smtp_sink: SmtpSink, create: Create
) -> None:
    task = create()
    job_id = _reminder_of(engine, task)
    with engine.begin() as connection:
        patch = TaskPatch({"title": "Water them well", "status": TaskStatus.IN_PROGRESS})
        tasks.update(connection, account_id, task.id, patch, expected_version=None)
    assert jobs.attempt(job_id)["sent"] is True
    assert [mail.subject for mail in smtp_sink.messages()] == ["Due now: Water them well"]


def test_a_mail_server_that_is_away_is_tried_again(jobs: Any, account_id: uuid.UUID, smtp_sink: SmtpSink) -> None:
    job_id = jobs.submit(account_id, "email.welcome")
    with pytest.raises(RetryLater):
        jobs.with_settings(smtp_port=1).attempt(job_id)
    jobs.attempt(job_id)
    assert len(smtp_sink.messages()) == 1


@pytest.mark.parametrize("email", ["a@example.com, b@example.com", "a@example.com\nBcc: b@example.com", "nobody", ""])
def test_an_address_that_is_none_reaches_nobody(jobs: Any, make_account: Any, smtp_sink: SmtpSink, email: str) -> None:
    account_id = make_account("x@example.com")
    with jobs.engine.begin() as connection:
        connection.execute(text("UPDATE accounts SET email = :email"), {"email": email})
    with pytest.raises(PermanentError):
        jobs.run(account_id, "email.welcome")
    assert smtp_sink.messages() == []
