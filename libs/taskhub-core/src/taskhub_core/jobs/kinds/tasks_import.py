"""The kind tasks.import: reads a file of tasks into the account, and reports the entries it turned down.

The file is read in chunks. Each is one transaction: tasks, rejections, counts and the place to go on at. So an import
that is interrupted anywhere goes on after its last whole chunk, with the same result as one that was not.

Failures: a file that is gone, or is not the format at all, makes the job dead with the reason. An entry that is wrong
is turned down by itself and listed in the report file. Database failures are tried again from the last chunk on.
"""

import uuid
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from taskhub_core.errors import NotFound
from taskhub_core.files import service as files
from taskhub_core.ids import derived_id
from taskhub_core.jobs import rejections
from taskhub_core.jobs.context import JobContext, Progress
from taskhub_core.jobs.errors import PermanentError
from taskhub_core.jobs.registry import JobArgs, job_kind
from taskhub_core.jobs.rejections import MAX_LISTED, RejectedEntry
from taskhub_core.tasks import imports
from taskhub_core.tasks.formats import Entry, Format, Rejection, TaskDraft, TaskFileError, parse
from taskhub_core.tasks.imports import Numbered, Source

CHUNK_ENTRIES = 500
# Notes are indexed for search, at 0.3 MB/s in the worst case measured; a chunk must end before the statement timeout.
CHUNK_CHARS = 200_000


class ImportArgs(JobArgs):
    """Which file, and what it is."""

    file_id: uuid.UUID
    format: Format


class Imported(BaseModel):
    """What the job gives back. Every entry of the file is counted in one of the four numbers."""

    imported: int
    """Tasks that are new."""
    updated: int
    unchanged: int
    """Entries whose tasks were there already with the same content or, without an id, from the same upload."""
    rejected: int
    report_file_id: uuid.UUID | None
    """The CSV file that lists the rejected entries, if there are any."""


class _Counts(BaseModel):
    """The checkpoint: how many entries are done, of how many, and what became of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    total: int
    next_index: int = 0
    imported: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0


@job_kind("tasks.import", args=ImportArgs, soft_limit_seconds=600, announces=True)
def tasks_import(job: JobContext, args: ImportArgs) -> Imported:
    """Makes tasks of an uploaded file, and reports the lines it could not take."""
    with job.engine.connect() as connection:
        try:
            upload = files.get_content(connection, job.account_id, args.file_id)
        except NotFound as error:
            raise PermanentError(f"{error} Upload it again.") from error
    try:
        counts = _begin(job, args, upload.content)
        entries = parse(args.format, upload.content, skip=counts.next_index)
    except TaskFileError as error:
        raise PermanentError(str(error)) from error
    source = Source(job.account_id, job.id, args.file_id, args.format, upload.file.created_at)
    for chunk in _chunks(entries):
        counts = _import_chunk(job, source, chunk, counts)
    report_file_id = derived_id("import-report", job.id) if counts.rejected else None
    if report_file_id is not None:
        name = f"{PurePath(upload.file.name).stem[:150]}-rejected.csv"
        job.on_complete(lambda connection: _save_report(connection, job, report_file_id, name, counts.rejected))
    return Imported(
        imported=counts.imported,
        updated=counts.updated,
        unchanged=counts.unchanged,
        rejected=counts.rejected,
        report_file_id=report_file_id,
    )


def _begin(job: JobContext, args: ImportArgs, content: bytes) -> _Counts:
    if job.checkpoint is not None:
        return _Counts.model_validate(job.checkpoint)
    # Counting takes a small part of the time that importing takes, and makes an honest progress bar.
    total = 0
    for entry in parse(args.format, content):
        total = entry.index
        if total % CHUNK_ENTRIES == 0:
            job.check()
    return _Counts(total=total)


def _chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """The entries in chunks that end at the same places whenever they begin at the same place."""
    chunk: list[Entry] = []
    chars = 0
    for entry in entries:
        chunk.append(entry)
        chars += len(entry.item.notes) if isinstance(entry.item, TaskDraft) else 0
        if len(chunk) == CHUNK_ENTRIES or chars >= CHUNK_CHARS:
            yield chunk
            chunk, chars = [], 0
    if chunk:
        yield chunk


def _import_chunk(job: JobContext, source: Source, chunk: list[Entry], counts: _Counts) -> _Counts:
    drafts = [Numbered(entry.index, entry.item) for entry in chunk if isinstance(entry.item, TaskDraft)]
    rejected = [_rejected(entry, entry.item) for entry in chunk if isinstance(entry.item, Rejection)]
    done = chunk[-1].index
    # The step saves the checkpoint after its block, so what the block found out can still go in.
    checkpoint: dict[str, Any] = {}
    with job.step(checkpoint, Progress(done, counts.total, f"{done} of {counts.total} entries")) as connection:
        stored = imports.store(connection, source, drafts)
        rejections.add(connection, job.id, rejected[: max(0, MAX_LISTED - counts.rejected)])
        counts = _Counts(
            total=counts.total,
            next_index=done,
            imported=counts.imported + stored.created,
            updated=counts.updated + stored.updated,
            unchanged=counts.unchanged + stored.unchanged,
            rejected=counts.rejected + len(rejected),
        )
        checkpoint.update(counts.model_dump())
    return counts


def _rejected(entry: Entry, rejection: Rejection) -> RejectedEntry:
    return RejectedEntry(entry.index, rejection.line, rejection.reason, rejection.excerpt)


def _save_report(connection: Connection, job: JobContext, file_id: uuid.UUID, name: str, total: int) -> None:
    files.save(
        connection,
        job.account_id,
        file_id=file_id,
        name=name,
        content_type="text/csv; charset=utf-8",
        content=rejections.report(connection, job.id, total=total),
    )
