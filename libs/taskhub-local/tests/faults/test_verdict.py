"""The verdict passes a run that kept every promise, and names the culprit of each one that did not."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from taskhub_local.faults.findings import Fault
from taskhub_local.faults.judge_jobs import COMPLETION, EFFECT_KIND
from taskhub_local.faults.ledger import Operation, Outcome
from taskhub_local.faults.marks import created_by, imported_by
from taskhub_local.faults.observed import ActivityRow, Delivery, EffectRow, IndexedTask, JobRow, TaskRow
from taskhub_local.faults.verdict import judge

from .worlds import (
    DEADLY,
    EFFECT,
    EVENT,
    GONE,
    IMPORT,
    IMPORTED,
    LOOSE,
    REMINDER,
    STEPS,
    TASK,
    WEBHOOK,
    World,
    clean_world,
    entry,
)

NEW = uuid.UUID(int=999)


def test_a_run_that_kept_every_promise_passes() -> None:
    world = clean_world()
    verdict = judge(world.entries, world.observed)
    assert verdict.passed, str(verdict)
    assert (verdict.requests, verdict.acknowledged, verdict.refused, verdict.unknown) == (13, 8, 2, 1)
    assert (verdict.jobs, verdict.repeated) == (4, 2)


def test_an_unknown_write_may_be_there_or_not() -> None:
    world = clean_world()
    tasks = tuple(row for row in world.observed.tasks if row.id != LOOSE)
    without = world.observing(
        tasks=tasks,
        activity=tuple(row for row in world.observed.activity if row.subject_id != LOOSE),
        versions={key: value for key, value in world.observed.versions.items() if key != LOOSE},
        index={key: value for key, value in world.observed.versions.items() if key != LOOSE},
    )
    assert judge(without.entries, without.observed).passed


@pytest.mark.parametrize("version", [2, 3])
def test_an_unknown_last_change_may_show_or_not(version: int) -> None:
    unknown = entry(Operation.CHANGE, "p3", None, task_id=TASK, marker="fourth")
    world = clean_world().with_entry(unknown).with_task(TASK, version=version, title=["second", "fourth"][version - 2])
    world = world.observing(
        activity=(
            *(row for row in world.observed.activity if row.subject_id != TASK),
            *(ActivityRow(uuid.uuid4(), "task.updated", TASK) for _ in range(version)),
        ),
        versions={**world.observed.versions, TASK: IndexedTask(version, deleted=False)},
        index={**world.observed.versions, TASK: IndexedTask(version, deleted=False)},
    )
    verdict = judge(world.entries, world.observed)
    assert verdict.passed, str(verdict)


def test_a_refusal_after_an_unknown_try_settles_nothing() -> None:
    world = clean_world().with_entry(entry(Operation.CREATE, "c3", Outcome.REFUSED, marker="maybe"))
    assert judge(world.entries, world.observed).passed


def test_without_elasticsearch_no_index_is_judged() -> None:
    world = clean_world().observing(index=None)
    assert judge(world.entries, world.observed).passed


@dataclass(frozen=True)
class Broken:
    """One broken promise: how it comes about, and what the verdict must say."""

    fault: Fault
    culprit: object
    breaks: Callable[[World], World]


def _without_task(world: World, task_id: uuid.UUID) -> World:
    return world.observing(tasks=tuple(row for row in world.observed.tasks if row.id != task_id))


def _without_job(world: World, job_id: uuid.UUID) -> World:
    return world.observing(jobs=tuple(row for row in world.observed.jobs if row.id != job_id))


def _without_effect(world: World, job_id: uuid.UUID, step: int) -> World:
    left = tuple(row for row in world.observed.effects if row != EffectRow(job_id, step))
    return world.observing(effects=left)


def _with_effect(world: World, job_id: uuid.UUID, step: int) -> World:
    return world.observing(effects=(*world.observed.effects, EffectRow(job_id, step)))


def _with_task_row(world: World, row: TaskRow) -> World:
    return world.observing(tasks=(*world.observed.tasks, row))


def _indexed(world: World, task_id: uuid.UUID, found: IndexedTask | None) -> World:
    index = {key: value for key, value in (world.observed.index or {}).items() if key != task_id}
    return world.observing(index=index if found is None else {**index, task_id: found})


BROKEN = {
    # tasks
    "a lost create": Broken(Fault.LOST, "c1", lambda w: _without_task(w, TASK)),
    "a lost change": Broken(Fault.LOST, TASK, lambda w: w.with_task(TASK, version=1, title="first")),
    "a lost delete": Broken(Fault.LOST, GONE, lambda w: w.with_task(GONE, version=1, deleted=False)),
    "a change that shows another's value": Broken(Fault.WRONG, TASK, lambda w: w.with_task(TASK, title="third")),
    "a delete that did not delete": Broken(Fault.WRONG, GONE, lambda w: w.with_task(GONE, deleted=False)),
    "a change done twice": Broken(Fault.DOUBLED, TASK, lambda w: w.with_task(TASK, version=3)),
    "a create done twice": Broken(
        Fault.DOUBLED, "c1", lambda w: _with_task_row(w, TaskRow(NEW, "second", created_by("c1"), 2, deleted=False))
    ),
    "an unknown create done twice": Broken(
        Fault.DOUBLED, "c3", lambda w: _with_task_row(w, TaskRow(NEW, "maybe", created_by("c3"), 1, deleted=False))
    ),
    "a refused create that is there": Broken(
        Fault.UNEXPECTED, "c4", lambda w: _with_task_row(w, TaskRow(NEW, "never", created_by("c4"), 1, deleted=False))
    ),
    "a row that nobody asked for": Broken(
        Fault.UNEXPECTED, NEW, lambda w: _with_task_row(w, TaskRow(NEW, "?", "", 1, deleted=False))
    ),
    "a row under an unknown key": Broken(
        Fault.UNEXPECTED, NEW, lambda w: _with_task_row(w, TaskRow(NEW, "?", created_by("nobody"), 1, deleted=False))
    ),
    "an answer with another task's id": Broken(
        Fault.LOST, "c2", lambda w: w.with_entry(entry(Operation.CREATE, "c2", marker="to go", made=NEW, version=1))
    ),
    "an answer with a version that cannot be": Broken(
        Fault.WRONG, "p9", lambda w: w.with_entry(entry(Operation.CHANGE, "p9", task_id=TASK, marker="x", version=7))
    ),
    "a ledger that misses the create": Broken(Fault.WRONG, "d2", lambda w: w.without_entry("c2")),
    # jobs
    "a lost job": Broken(Fault.LOST, EFFECT, lambda w: _without_job(w, EFFECT)),
    "a job that has not ended": Broken(Fault.UNFINISHED, STEPS, lambda w: w.with_job(STEPS, state="running")),
    "a job of TaskHub's own that has not ended": Broken(
        Fault.UNFINISHED, WEBHOOK, lambda w: w.with_job(WEBHOOK, state="queued")
    ),
    "a job that died of nothing": Broken(Fault.WRONG, EFFECT, lambda w: w.with_job(EFFECT, state="dead")),
    "a deadly job that lived": Broken(Fault.WRONG, DEADLY, lambda w: w.with_job(DEADLY, state="succeeded")),
    "a lost effect": Broken(Fault.LOST, EFFECT, lambda w: _without_effect(w, EFFECT, COMPLETION)),
    "a lost step": Broken(Fault.LOST, STEPS, lambda w: _without_effect(w, STEPS, 1)),
    "a double effect": Broken(Fault.DOUBLED, EFFECT, lambda w: _with_effect(w, EFFECT, COMPLETION)),
    "a double step": Broken(Fault.DOUBLED, STEPS, lambda w: _with_effect(w, STEPS, 0)),
    "a step too many": Broken(Fault.UNEXPECTED, STEPS, lambda w: _with_effect(w, STEPS, 7)),
    "an effect of a job that failed": Broken(Fault.UNEXPECTED, DEADLY, lambda w: _with_effect(w, DEADLY, COMPLETION)),
    "an effect of a job that nobody submitted": Broken(Fault.UNEXPECTED, NEW, lambda w: _with_effect(w, NEW, 0)),
    "an effect of an accepted job that is gone": Broken(Fault.UNEXPECTED, EFFECT, lambda w: _without_job(w, EFFECT)),
    "a job that nobody submitted": Broken(
        Fault.UNEXPECTED,
        NEW,
        lambda w: w.observing(jobs=(*w.observed.jobs, JobRow(NEW, EFFECT_KIND, "succeeded", 1))),
    ),
    "a refused job that is there": Broken(
        Fault.UNEXPECTED,
        EFFECT,
        lambda w: w.without_entry("j1").with_entry(
            entry(Operation.SUBMIT, "j1", Outcome.REFUSED, job_id=EFFECT, job_kind=EFFECT_KIND)
        ),
    ),
    "an imported task that is missing": Broken(Fault.LOST, IMPORT, lambda w: _without_task(w, IMPORTED[1])),
    "an imported task that is there twice": Broken(
        Fault.DOUBLED,
        IMPORT,
        lambda w: _with_task_row(w, TaskRow(NEW, "row 0", imported_by(IMPORT, 0), 1, deleted=False)),
    ),
    # what is derived
    "an event that the feed misses": Broken(
        Fault.LOST,
        LOOSE,
        lambda w: w.observing(activity=tuple(r for r in w.observed.activity if r.subject_id != LOOSE)),
    ),
    "an event that the feed has twice": Broken(
        Fault.DOUBLED,
        LOOSE,
        lambda w: w.observing(activity=(*w.observed.activity, ActivityRow(NEW, "task.created", LOOSE))),
    ),
    "an event of a task that is not there": Broken(
        Fault.UNEXPECTED,
        NEW,
        lambda w: w.observing(activity=(*w.observed.activity, ActivityRow(NEW, "task.created", NEW))),
    ),
    "an end of a job that the feed misses": Broken(
        Fault.LOST,
        STEPS,
        lambda w: w.observing(activity=tuple(r for r in w.observed.activity if r.subject_id != STEPS)),
    ),
    "an end of a job that the feed has twice": Broken(
        Fault.DOUBLED,
        STEPS,
        lambda w: w.observing(activity=(*w.observed.activity, ActivityRow(NEW, "job.succeeded", STEPS))),
    ),
    "an end in the feed that never was": Broken(
        Fault.UNEXPECTED,
        STEPS,
        lambda w: w.observing(activity=(*w.observed.activity, ActivityRow(NEW, "job.dead", STEPS))),
    ),
    "an event that nobody delivers": Broken(Fault.LOST, EVENT, lambda w: _without_job(w, WEBHOOK)),
    "a task that the index misses": Broken(Fault.STALE, TASK, lambda w: _indexed(w, TASK, None)),
    "an old version in the index": Broken(
        Fault.STALE, TASK, lambda w: _indexed(w, TASK, IndexedTask(1, deleted=False))
    ),
    "a deleted task that searches still find": Broken(
        Fault.STALE, GONE, lambda w: _indexed(w, GONE, IndexedTask(1, deleted=False))
    ),
    "a document of a task that never was": Broken(
        Fault.STALE, NEW, lambda w: _indexed(w, NEW, IndexedTask(1, deleted=False))
    ),
    "a mail that never arrived": Broken(Fault.LOST, REMINDER, lambda w: w.observing(mails=())),
    "a mail of no job": Broken(Fault.UNEXPECTED, NEW, lambda w: w.observing(mails=(*w.observed.mails, NEW))),
    "two reminders of one task": Broken(
        Fault.DOUBLED,
        TASK,
        lambda w: w.observing(
            mails=(*w.observed.mails, NEW),
            jobs=(*w.observed.jobs, JobRow(NEW, "task.reminder", "succeeded", 1, sent_mail=True, about=TASK)),
        ),
    ),
    "a delivery that never arrived": Broken(Fault.LOST, WEBHOOK, lambda w: w.observing(deliveries=())),
    "an event delivered under two ids": Broken(
        Fault.DOUBLED, EVENT, lambda w: w.observing(deliveries=(*w.observed.deliveries, Delivery(NEW, EVENT)))
    ),
    "a delivery of no job": Broken(
        Fault.UNEXPECTED, NEW, lambda w: w.observing(deliveries=(*w.observed.deliveries, Delivery(NEW, NEW)))
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_verdict_names_the_culprit_of(name: str) -> None:
    case = BROKEN[name]
    world = case.breaks(clean_world())
    verdict = judge(world.entries, world.observed)
    assert not verdict.passed
    sentences = [finding.sentence for finding in verdict.findings if finding.fault is case.fault]
    assert any(str(case.culprit) in sentence for sentence in sentences), str(verdict)
    assert verdict.count(case.fault) >= 1


def test_equal_counts_with_another_checksum_are_not_equal() -> None:
    world = clean_world()
    swapped = _indexed(world, TASK, IndexedTask(1, deleted=False))
    verdict = judge(swapped.entries, swapped.observed)
    assert any("checksum" in finding.sentence for finding in verdict.findings)


def test_a_long_list_of_findings_is_cut_with_its_count() -> None:
    world = clean_world()
    rows = tuple(TaskRow(uuid.UUID(int=1_000 + n), "?", "", 1, deleted=False) for n in range(30))
    verdict = judge(world.entries, replace(world.observed, tasks=(*world.observed.tasks, *rows)))
    assert "more" in str(verdict).splitlines()[-1]
