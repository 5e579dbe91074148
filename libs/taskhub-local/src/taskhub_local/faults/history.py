"""What the ledger says about each write, each task and each job: the tries of one write are one."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from taskhub_local.faults.ledger import Entry, Operation, Outcome, Request


@dataclass(frozen=True, slots=True)
class Write:
    """One write: every try of it, in order."""

    request: Request
    tries: tuple[Entry, ...]

    @property
    def outcome(self) -> Outcome:
        """What is certain of it: done if one try was acknowledged; not done only if every single try was refused.

        A refusal after a try of unknown outcome settles nothing: the first try may still be on its way.
        """
        outcomes = {entry.outcome for entry in self.tries}
        if Outcome.ACKNOWLEDGED in outcomes:
            return Outcome.ACKNOWLEDGED
        return Outcome.REFUSED if outcomes == {Outcome.REFUSED} else Outcome.UNKNOWN

    @property
    def acknowledged_versions(self) -> set[int]:
        """The versions that its 2xx answers named: one, unless something is wrong."""
        return {
            entry.answer.version
            for entry in self.tries
            if entry.answer and entry.outcome is Outcome.ACKNOWLEDGED and entry.answer.version is not None
        }

    @property
    def acknowledged_tasks(self) -> set[uuid.UUID]:
        """The tasks that its 2xx answers named: one, unless something is wrong."""
        return {
            entry.answer.task_id
            for entry in self.tries
            if entry.answer and entry.outcome is Outcome.ACKNOWLEDGED and entry.answer.task_id is not None
        }

    def __str__(self) -> str:
        request = self.request
        about = request.job_id or request.task_id
        return f"the {request.operation.value} {request.key}" + (f" of {about}" if about else "")


@dataclass(frozen=True, slots=True)
class TaskHistory:
    """A task's creation and what was asked of it afterwards, in order."""

    creation: Write
    later: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The ledger, sorted by what it is about."""

    writes: tuple[Write, ...]
    tasks: tuple[TaskHistory, ...]
    """One for each create."""
    jobs: tuple[Write, ...]
    """One for each submission."""
    orphans: tuple[Write, ...] = field(default=())
    """Changes and deletes of tasks that no create in this ledger is known to have made."""


def history(entries: Iterable[Entry]) -> History:
    """Sort a ledger."""
    tries: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.request.operation.writes:
            tries.setdefault(entry.request.key, []).append(entry)
    writes = tuple(Write(found[0].request, tuple(found)) for found in tries.values())
    creations = [write for write in writes if write.request.operation is Operation.CREATE]
    later: dict[uuid.UUID, list[Write]] = {}
    for write in writes:
        if write.request.operation in {Operation.CHANGE, Operation.DELETE} and write.request.task_id:
            later.setdefault(write.request.task_id, []).append(write)
    tasks = []
    for creation in creations:
        of_task = [write for task_id in creation.acknowledged_tasks for write in later.pop(task_id, [])]
        tasks.append(TaskHistory(creation, tuple(of_task)))
    jobs = tuple(write for write in writes if write.request.operation is Operation.SUBMIT)
    orphans = tuple(write for left in later.values() for write in left)
    return History(writes, tuple(tasks), jobs, orphans)
