"""The ledger after a restore: what happened after the point that PostgreSQL was taken back to has not happened.

A pure function. What was answered before the point counts as ever. What was asked before it and answered after it is of
unknown outcome: done if its commit made it, and then whole. What was asked after it, and before TaskHub ran again, is
struck out; whatever is found of it all the same has no cause in the ledger, and is a finding.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from taskhub_local.faults.ledger import Entry, Operation, Outcome

_WRITES_TO_TASKS = frozenset({Operation.CHANGE, Operation.DELETE})
_MARGIN_SECONDS = 0.01
"""From noting that a request is sent to beginning to measure it."""


@dataclass(frozen=True, slots=True)
class Rewind:
    """From when to when time does not count. Unix seconds."""

    to: float
    """The point that was restored to."""
    resumed: float
    """When TaskHub was started again. Whatever was sent before has its answer, or never gets one."""


def rewound(entries: Iterable[Entry], rewind: Rewind) -> list[Entry]:
    """Return the ledger as it is after the restore."""
    entries = list(entries)
    remembered = list(_remembered(entries, rewind))
    known = {entry.answer.task_id for entry in remembered if _created(entry) and entry.answer}
    gone = {entry.answer.task_id for entry in entries if _created(entry) and entry.answer} - known
    # Clients go on with tasks that they were told of, and are told that there are none.
    return [entry for entry in remembered if entry.outcome is Outcome.ACKNOWLEDGED or entry.request.task_id not in gone]


def _remembered(entries: list[Entry], rewind: Rewind) -> Iterator[Entry]:
    proven = {
        entry.request.task_id
        for entry in entries
        if entry.sent_at >= rewind.resumed
        and entry.request.operation in _WRITES_TO_TASKS
        and entry.outcome is Outcome.ACKNOWLEDGED
    }
    for entry in entries:
        if entry.sent_at >= rewind.resumed or _answered_before(entry, rewind.to):
            yield entry
        elif entry.sent_at < rewind.to:
            # A task that takes changes after the restore was made before the point.
            made = _created(entry) and entry.answer is not None and entry.answer.task_id in proven
            yield entry if made else replace(entry, answer=None)


def _answered_before(entry: Entry, moment: float) -> bool:
    return entry.answer is not None and entry.sent_at + entry.answer.seconds + _MARGIN_SECONDS < moment


def _created(entry: Entry) -> bool:
    return entry.request.operation is Operation.CREATE and entry.outcome is Outcome.ACKNOWLEDGED
