"""What is derived from PostgreSQL against PostgreSQL: feed, index, mails and webhook deliveries."""

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping

from taskhub_core.search.document import checksum
from taskhub_local.faults.findings import Fault, Finding
from taskhub_local.faults.judge_jobs import IMPORT_KIND, STEPS_KIND, TERMINAL
from taskhub_local.faults.observed import IndexedTask, Observed

REMINDER_KIND = "task.reminder"
WEBHOOK_KIND = "webhook.deliver"
ANNOUNCED_KINDS = (STEPS_KIND, IMPORT_KIND)
"""The kinds that the driver submits whose end is an event of the feed."""
SUBSCRIBED = ("job.succeeded", "job.dead")
"""The events that the driver has a webhook for."""


def judge_feed(observed: Observed) -> Iterator[Finding]:
    """Each change of a task is one event in the feed: as many as the task's version says, or as got there."""
    events = Counter(row.subject_id for row in observed.activity if row.type.startswith("task."))
    for row in observed.tasks:
        count = events.pop(row.id, 0)
        lacking = row.version - count
        if lacking < 0 or lacking > observed.on_their_way.get(row.id, 0):
            fault = Fault.LOST if lacking > 0 else Fault.DOUBLED
            yield Finding(fault, f"task {row.id} is at version {row.version}, but the feed has {count} events of it")
    for task_id, count in events.items():
        yield Finding(Fault.UNEXPECTED, f"the feed has {count} events of task {task_id}, which is not there")
    yield from _judge_announcements(observed)


def _judge_announcements(observed: Observed) -> Iterator[Finding]:
    announced = Counter((row.subject_id, row.type) for row in observed.activity if row.type.startswith("job."))
    ends = {(row.id, f"job.{row.state}"): row for row in observed.jobs}
    for end, row in ends.items():
        count = announced.pop(end, 0)
        if count > 1:
            yield Finding(Fault.DOUBLED, f"the feed says {count} times that job {row.id} ({row.kind}) {row.state}")
        expected = row.kind in ANNOUNCED_KINDS and row.state in TERMINAL and row.id not in observed.on_their_way
        if expected and not count:
            yield Finding(Fault.LOST, f"job {row.id} ({row.kind}) ended {row.state}, and the feed does not say so")
    for job_id, kind in announced:
        yield Finding(Fault.UNEXPECTED, f"the feed has {kind} of job {job_id}, which did not end so")


def judge_index(observed: Observed) -> Iterator[Finding]:
    """The index has each live task in its version, and of deleted ones a tombstone or nothing."""
    index = observed.index
    if index is None:
        return
    for task_id, wanted in observed.versions.items():
        found = index.get(task_id)
        if found is None:
            if not wanted.deleted:
                yield Finding(Fault.STALE, f"task {task_id} (version {wanted.version}) is not in the index")
        elif found != wanted:
            yield Finding(Fault.STALE, f"task {task_id} is {_state(wanted)}, but {_state(found)} in the index")
    for task_id, found in index.items():
        if task_id not in observed.versions and not found.deleted:
            yield Finding(Fault.STALE, f"the index has task {task_id} ({_state(found)}), which is not in PostgreSQL")
    here, there = live_checksum(observed.versions), live_checksum(index)
    if here != there:
        yield Finding(
            Fault.STALE,
            f"PostgreSQL has {here[0]} live tasks with checksum {here[1]}, the index {there[0]} with {there[1]}",
        )


def _state(task: IndexedTask) -> str:
    return f"{'deleted' if task.deleted else 'live'} at version {task.version}"


def live_checksum(versions: Mapping[uuid.UUID, IndexedTask]) -> tuple[int, int]:
    """How many tasks are live, and the sum of their checksums (the one that TaskHub's own reconciliation uses)."""
    live = [checksum(task_id, task.version) for task_id, task in versions.items() if not task.deleted]
    return len(live), sum(live)


def judge_mails(observed: Observed) -> Iterator[Finding]:
    """Each job that says it sent a mail did, and no task was reminded of by two different mails.

    A mail may arrive twice, when its worker died after the server took it: with one Message-ID, which readers join.
    """
    mails = set(observed.mails)
    reminders = Counter(row.about for row in observed.jobs if row.kind == REMINDER_KIND and row.id in mails)
    for about, count in reminders.items():
        if count > 1:
            yield Finding(Fault.DOUBLED, f"{count} different reminders of task {about} were mailed")
    jobs = {row.id for row in observed.jobs}
    for row in observed.jobs:
        if row.sent_mail and row.id not in mails:
            yield Finding(Fault.LOST, f"job {row.id} ({row.kind}) says that it sent a mail, and none arrived")
    for job_id in mails - jobs:
        yield Finding(Fault.UNEXPECTED, f"a mail of job {job_id} arrived, and there is no such job")


def judge_deliveries(observed: Observed) -> Iterator[Finding]:
    """Each event has its delivery, under one id, and each succeeded delivery job reached the receiver.

    A delivery may arrive twice with its one id, which is what receivers tell repeats by.
    """
    ids_of_event: dict[uuid.UUID, set[uuid.UUID]] = {}
    for delivery in observed.deliveries:
        ids_of_event.setdefault(delivery.event_id, set()).add(delivery.delivery_id)
    for event_id, ids in ids_of_event.items():
        if len(ids) > 1:
            yield Finding(Fault.DOUBLED, f"event {event_id} was delivered under {len(ids)} different delivery ids")
    received = {delivery.delivery_id for delivery in observed.deliveries}
    jobs = {row.id: row for row in observed.jobs if row.kind == WEBHOOK_KIND}
    delivered = {row.about for row in jobs.values()}
    for event in observed.activity:
        if event.type in SUBSCRIBED and event.event_id not in delivered:
            yield Finding(Fault.LOST, f"event {event.event_id} ({event.type}) has no delivery")
    for row in jobs.values():
        if row.state == "succeeded" and row.id not in received:
            yield Finding(Fault.LOST, f"delivery {row.id} succeeded, and the receiver never saw it")
    for delivery_id in received - jobs.keys():
        yield Finding(Fault.UNEXPECTED, f"delivery {delivery_id} arrived, and there is no such job")
