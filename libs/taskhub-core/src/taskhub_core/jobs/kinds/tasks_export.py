"""The kind tasks.export: writes the account's tasks to a file that can be downloaded, and imported again.

All tasks are read from one snapshot: the file is the account as it was at one moment, whatever changes meanwhile. A
task that has no id of another program carries its TaskHub id, so that importing an edited file updates it.

Failures: a file that would be over the size limit makes the job dead, and the error says to filter. Database failures
are tried again from the beginning. The file is stored in the transaction that completes the job: once, or not at all.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, Field
from sqlalchemy import Connection

from taskhub_core.errors import InvalidInput
from taskhub_core.files import service as files
from taskhub_core.ids import derived_id
from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.errors import PermanentError
from taskhub_core.jobs.registry import JobArgs, job_kind
from taskhub_core.tasks.formats import Format, TaskDraft, serialize
from taskhub_core.tasks.listing import Sort, TaskFilter, count_tasks, list_tasks
from taskhub_core.tasks.status import TaskStatus
from taskhub_core.tasks.task import Task

BATCH_TASKS = 1_000


class ExportArgs(JobArgs):
    """What to write, and as what. Without statuses and tags: every task."""

    format: Format
    statuses: tuple[TaskStatus, ...] = ()
    tags: tuple[str, ...] = Field(default=(), max_length=20)
    """Tasks that have every one of them."""


class Exported(BaseModel):
    """What the job gives back."""

    file_id: uuid.UUID
    exported: int
    size: int
    """Bytes."""


@job_kind("tasks.export", args=ExportArgs, soft_limit_seconds=120, announces=True)
def tasks_export(job: JobContext, args: ExportArgs) -> Exported:
    """Writes the account's tasks to a file to download."""
    with job.engine.connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        tasks = _Tasks(job, connection, TaskFilter(statuses=args.statuses, tags=args.tags))
        content = _written(args.format, tasks)
    file_id = derived_id("export", job.id)

    def save(connection: Connection) -> None:
        files.save(
            connection,
            job.account_id,
            file_id=file_id,
            name=f"tasks-{job.claimed.created_at:%Y-%m-%d}.{args.format.extension}",
            content_type=args.format.content_type,
            content=content,
        )

    job.on_complete(save)
    return Exported(file_id=file_id, exported=tasks.read, size=len(content))


@dataclass(slots=True)
class _Tasks:
    """The account's tasks, read in batches and counted."""

    job: JobContext
    connection: Connection
    filter_: TaskFilter
    read: int = 0

    def __iter__(self) -> Iterator[TaskDraft]:
        account_id = self.job.account_id
        total = count_tasks(self.connection, account_id, filter_=self.filter_)
        cursor: str | None = None
        while True:
            self.job.report(self.read, total=total, message=f"{self.read} of {total} tasks")
            page = list_tasks(
                self.connection, account_id, filter_=self.filter_, sort=Sort.OLDEST, limit=BATCH_TASKS, cursor=cursor
            )
            for task in page.tasks:
                self.read += 1
                yield _draft(task)
            cursor = page.next_cursor
            if cursor is None:
                self.job.report(self.read, total=total, message=f"{self.read} of {total} tasks")
                return


def _written(file_format: Format, tasks: _Tasks) -> bytes:
    content = bytearray()
    for piece in serialize(file_format, tasks):
        content += piece
        if len(content) > files.MAX_BYTES:
            raise PermanentError(
                f"The file would be over {files.MAX_BYTES:,} bytes. Filter by status or tag to export a part."
            )
    return bytes(content)


def _draft(task: Task) -> TaskDraft:
    try:
        return TaskDraft(
            title=task.title,
            notes=task.notes,
            status=task.status,
            priority=task.priority,
            due_at=task.due_at,
            tags=task.tags,
            created_at=task.created_at,
            completed_at=task.completed_at,
            external_id=task.external_id or str(task.id),
        )
    except InvalidInput as error:
        raise PermanentError(f"The task {task.id} cannot be written to a file: {error}. Change it first.") from error
