"""A small run in which every promise was kept: its ledger, and what was found afterwards. Tests break one thing."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from taskhub_local.faults.judge_jobs import COMPLETION, DEADLY_KIND, EFFECT_KIND, IMPORT_KIND, STEPS_KIND
from taskhub_local.faults.ledger import Answer, Entry, Operation, Outcome, Request
from taskhub_local.faults.marks import created_by, imported_by
from taskhub_local.faults.observed import (
    ActivityRow,
    Delivery,
    EffectRow,
    IndexedTask,
    JobRow,
    Observed,
    TaskRow,
)

TASK, GONE, LOOSE = (uuid.UUID(int=number) for number in (1, 2, 3))
IMPORTED = [uuid.UUID(int=number) for number in (11, 12)]
EFFECT, STEPS, DEADLY, IMPORT = (uuid.UUID(int=number) for number in (101, 102, 103, 104))
REMINDER, WEBHOOK = uuid.UUID(int=201), uuid.UUID(int=202)
OTHER_WEBHOOK = uuid.UUID(int=203)
EVENT, OTHER_EVENT = uuid.UUID(int=301), uuid.UUID(int=302)


@dataclass(frozen=True)
class World:
    """Both sides of the comparison."""

    entries: tuple[Entry, ...]
    observed: Observed

    def without_entry(self, key: str) -> "World":
        return replace(self, entries=tuple(entry for entry in self.entries if entry.request.key != key))

    def with_entry(self, entry: Entry) -> "World":
        return replace(self, entries=(*self.entries, entry))

    def observing(self, **changes: Any) -> "World":
        return replace(self, observed=replace(self.observed, **changes))

    def with_task(self, task_id: uuid.UUID, **changes: Any) -> "World":
        rows = [replace(row, **changes) if row.id == task_id else row for row in self.observed.tasks]
        return self.observing(tasks=tuple(rows))

    def with_job(self, job_id: uuid.UUID, **changes: Any) -> "World":
        rows = [replace(row, **changes) if row.id == job_id else row for row in self.observed.jobs]
        return self.observing(jobs=tuple(rows))


def entry(
    operation: Operation,
    key: str,
    outcome: Outcome | None = Outcome.ACKNOWLEDGED,
    *,
    version: int | None = None,
    **request: Any,
) -> Entry:
    """A request and its answer; `outcome` None leaves it unanswered."""
    task_id = request.get("task_id")
    made = request.pop("made", task_id)
    answer = None
    if outcome is not None:
        named = made if outcome is Outcome.ACKNOWLEDGED else None
        answer = Answer(status=None, outcome=outcome, seconds=0.01, task_id=named, version=version)
    return Entry(number=0, request=Request(operation=operation, key=key, **request), sent_at=0.0, answer=answer)


def clean_world() -> World:
    """Three tasks, one of them deleted, four jobs, a reminder and a webhook delivery: all as it should be."""
    entries = (
        entry(Operation.CREATE, "c1", marker="first", made=TASK, version=1),
        entry(Operation.CHANGE, "p1", Outcome.UNKNOWN, task_id=TASK, marker="second"),
        entry(Operation.CHANGE, "p1", task_id=TASK, marker="second", version=2),
        entry(Operation.CHANGE, "p2", Outcome.REFUSED, task_id=TASK, marker="third"),
        entry(Operation.CREATE, "c2", marker="to go", made=GONE, version=1),
        entry(Operation.DELETE, "d2", task_id=GONE),
        entry(Operation.CREATE, "c3", Outcome.UNKNOWN, marker="maybe"),
        entry(Operation.CREATE, "c4", Outcome.REFUSED, marker="never"),
        entry(Operation.SUBMIT, "j1", job_id=EFFECT, job_kind=EFFECT_KIND),
        entry(Operation.SUBMIT, "j2", job_id=STEPS, job_kind=STEPS_KIND, size=2),
        entry(Operation.SUBMIT, "j3", job_id=DEADLY, job_kind=DEADLY_KIND),
        entry(Operation.SUBMIT, "j4", job_id=IMPORT, job_kind=IMPORT_KIND, size=2),
        entry(Operation.SEARCH, "s1", Outcome.UNKNOWN),
    )
    tasks = (
        TaskRow(TASK, "second", created_by("c1"), 2, deleted=False),
        TaskRow(GONE, "to go", created_by("c2"), 2, deleted=True),
        TaskRow(LOOSE, "maybe", created_by("c3"), 1, deleted=False),
        *(TaskRow(IMPORTED[n], f"row {n}", imported_by(IMPORT, n), 1, deleted=False) for n in range(2)),
    )
    jobs = (
        JobRow(EFFECT, EFFECT_KIND, "succeeded", 1),
        JobRow(STEPS, STEPS_KIND, "succeeded", 2),
        JobRow(DEADLY, DEADLY_KIND, "dead", 5),
        JobRow(IMPORT, IMPORT_KIND, "succeeded", 1),
        JobRow(REMINDER, "task.reminder", "succeeded", 1, sent_mail=True, about=TASK),
        JobRow(WEBHOOK, "webhook.deliver", "succeeded", 1, about=EVENT),
        JobRow(OTHER_WEBHOOK, "webhook.deliver", "succeeded", 1, about=OTHER_EVENT),
    )
    effects = (EffectRow(EFFECT, COMPLETION), *(EffectRow(STEPS, step) for step in (0, 1, COMPLETION)))
    versions = {row.id: IndexedTask(row.version, row.deleted) for row in tasks}
    observed = Observed(
        tasks=tasks,
        jobs=jobs,
        effects=effects,
        activity=(
            *_events(tasks),
            ActivityRow(EVENT, "job.succeeded", STEPS),
            ActivityRow(OTHER_EVENT, "job.succeeded", IMPORT),
        ),
        mails=(REMINDER, REMINDER),
        deliveries=(Delivery(WEBHOOK, EVENT), Delivery(WEBHOOK, EVENT), Delivery(OTHER_WEBHOOK, OTHER_EVENT)),
        versions=versions,
        index=dict(versions),
    )
    return World(entries, observed)


def _events(tasks: Sequence[TaskRow]) -> list[ActivityRow]:
    return [ActivityRow(uuid.uuid4(), "task.updated", row.id) for row in tasks for _ in range(row.version)]
