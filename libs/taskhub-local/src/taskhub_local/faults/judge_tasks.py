"""Tasks against the ledger: each acknowledged write is there, once, and the last of them is what the row shows."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from taskhub_local.faults.findings import Fault, Finding
from taskhub_local.faults.history import History, TaskHistory, Write
from taskhub_local.faults.ledger import Operation, Outcome
from taskhub_local.faults.marks import creator, importer
from taskhub_local.faults.observed import TaskRow


@dataclass(frozen=True, slots=True)
class State:
    """What a row may look like."""

    version: int
    title: str
    deleted: bool = False

    def after(self, write: Write) -> "State":
        """The row once the write is done."""
        if write.request.operation is Operation.DELETE:
            return State(self.version + 1, self.title, deleted=True)
        return State(self.version + 1, write.request.marker, self.deleted)

    def __str__(self) -> str:
        return f"version {self.version}, {'deleted' if self.deleted else 'live'}, title {self.title!r}"


def judge_tasks(history: History, rows: Sequence[TaskRow]) -> Iterator[Finding]:
    """Find every task that is not as the ledger says."""
    by_creator: dict[str, list[TaskRow]] = defaultdict(list)
    for row in rows:
        key = creator(row.notes)
        if key is not None:
            by_creator[key].append(row)
        elif importer(row.notes) is None:
            yield Finding(Fault.UNEXPECTED, f"task {row.id} is there, and nothing in the ledger made it")
    yield from _unknown_creators(history, by_creator)
    for task in history.tasks:
        yield from _judge_task(task, by_creator.get(task.creation.request.key, []))
    for orphan in history.orphans:
        yield Finding(
            Fault.WRONG, f"{orphan} names a task that no answer to a create named: the ledger is not complete"
        )


def _unknown_creators(history: History, by_creator: Mapping[str, list[TaskRow]]) -> Iterator[Finding]:
    known = {task.creation.request.key for task in history.tasks}
    for key, rows in by_creator.items():
        if key not in known:
            yield Finding(Fault.UNEXPECTED, f"task {rows[0].id} was made under the key {key}, which nobody sent")


def _judge_task(task: TaskHistory, rows: list[TaskRow]) -> Iterator[Finding]:
    creation = task.creation
    if not rows:
        if creation.outcome is Outcome.ACKNOWLEDGED:
            yield Finding(Fault.LOST, f"{creation} was acknowledged, and no task has it")
        return
    if creation.outcome is Outcome.REFUSED:
        yield Finding(Fault.UNEXPECTED, f"{creation} was refused each time, but task {rows[0].id} is there")
    if len(rows) > 1:
        ids = ", ".join(str(row.id) for row in rows)
        yield Finding(Fault.DOUBLED, f"{creation} made {len(rows)} tasks: {ids}")
    answered = creation.acknowledged_tasks
    if answered - {row.id for row in rows}:
        yield Finding(
            Fault.LOST, f"{creation} was answered with task {sorted(map(str, answered))}, but made {rows[0].id}"
        )
    else:
        yield from _judge_row(task, next(row for row in rows if not answered or row.id in answered))


def _judge_row(task: TaskHistory, row: TaskRow) -> Iterator[Finding]:
    possible = {State(1, task.creation.request.marker)}
    last = task.creation
    for write in task.later:
        outcome = write.outcome
        if outcome is Outcome.REFUSED:
            continue
        done = {state.after(write) for state in possible if not state.deleted}
        if outcome is Outcome.ACKNOWLEDGED:
            versions = write.acknowledged_versions
            confirmed = {state for state in done if versions <= {state.version}}
            if not confirmed:
                yield Finding(Fault.WRONG, f"{write} was answered with version {versions}, {_expected(done)}")
                return
            done, last = confirmed, write
        possible = done if outcome is Outcome.ACKNOWLEDGED else possible | done
    found = State(row.version, row.title, row.deleted)
    if found not in possible:
        yield Finding(_fault(found, possible), f"task {row.id} has {found}; after {last}, {_expected(possible)}")


def _expected(possible: set[State]) -> str:
    states = " or ".join(sorted(str(state) for state in possible))
    return f"the ledger allows {states or 'no further write'}"


def _fault(found: State, possible: set[State]) -> Fault:
    if found.version > max(state.version for state in possible):
        return Fault.DOUBLED
    return Fault.LOST if found.version < min(state.version for state in possible) else Fault.WRONG
