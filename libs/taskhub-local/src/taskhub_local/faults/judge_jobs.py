"""Jobs against the ledger: each accepted one has ended, and each has left each of its effects once."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from taskhub_local.faults.findings import Fault, Finding
from taskhub_local.faults.history import History, Write
from taskhub_local.faults.ledger import Outcome
from taskhub_local.faults.marks import importer
from taskhub_local.faults.observed import EffectRow, JobRow, Observed

COMPLETION = -1
"""The step of the effect that commits with the job's end."""

EFFECT_KIND = "faults.effect"
STEPS_KIND = "faults.steps"
DEADLY_KIND = "faults.deadly"
IMPORT_KIND = "tasks.import"
SUBMITTED_KINDS = frozenset({EFFECT_KIND, STEPS_KIND, DEADLY_KIND, IMPORT_KIND})
"""The kinds that the driver submits; all others belong to TaskHub itself."""

TERMINAL = frozenset({"succeeded", "dead", "cancelled"})


def judge_jobs(history: History, observed: Observed) -> Iterator[Finding]:
    """Find every job that is not as the ledger says."""
    rows = {row.id: row for row in observed.jobs}
    effects = _effects(observed)
    submitted = {write.request.job_id for write in history.jobs}
    for row in observed.jobs:
        if row.id not in submitted and row.kind in SUBMITTED_KINDS:
            yield Finding(Fault.UNEXPECTED, f"job {row.id} ({row.kind}) is there, and nobody submitted it")
        if row.state not in TERMINAL and row.id not in submitted:
            yield Finding(Fault.UNFINISHED, f"job {row.id} ({row.kind}) is still {row.state}")
    for job_id in effects.keys() - submitted:
        yield Finding(Fault.UNEXPECTED, f"there are effects of job {job_id}, which nobody submitted")
    for write in history.jobs:
        submitted_id = write.request.job_id
        if submitted_id is not None:
            yield from _judge_job(write, rows.get(submitted_id), effects.get(submitted_id, Counter()))


def _effects(observed: Observed) -> Mapping[uuid.UUID, Counter[int]]:
    found: dict[uuid.UUID, Counter[int]] = defaultdict(Counter)
    for effect in (*observed.effects, *_imported(observed)):
        found[effect.job_id][effect.step] += 1
    return found


def _imported(observed: Observed) -> Sequence[EffectRow]:
    # Each imported task is an effect of its job; a deleted row counts too, for it was made.
    made = (importer(row.notes) for row in observed.tasks)
    return [EffectRow(*found) for found in made if found is not None]


def _judge_job(write: Write, row: JobRow | None, effects: Counter[int]) -> Iterator[Finding]:
    if row is None:
        if write.outcome is Outcome.ACKNOWLEDGED:
            yield Finding(Fault.LOST, f"{write} was acknowledged, and there is no such job")
        for step in effects:
            yield Finding(Fault.UNEXPECTED, f"{write} left effect {_name(step)}, but there is no such job")
        return
    if write.outcome is Outcome.REFUSED:
        yield Finding(Fault.UNEXPECTED, f"{write} was refused each time, but the job is there ({row.state})")
    if row.state not in TERMINAL:
        yield Finding(Fault.UNFINISHED, f"job {row.id} ({row.kind}) is still {row.state} after attempt {row.attempt}")
    wanted_end = "dead" if row.kind == DEADLY_KIND else "succeeded"
    if row.state in TERMINAL and row.state != wanted_end:
        yield Finding(
            Fault.WRONG, f"job {row.id} ({row.kind}) ended {row.state} after attempt {row.attempt}, not {wanted_end}"
        )
    yield from _judge_effects(write, row, effects)


def _judge_effects(write: Write, row: JobRow, effects: Counter[int]) -> Iterator[Finding]:
    steps = set(range(write.request.size))
    ending = set() if row.kind == IMPORT_KIND else {COMPLETION}
    for step, count in sorted(effects.items()):
        if count > 1:
            yield Finding(Fault.DOUBLED, f"effect {_name(step)} of job {row.id} ({row.kind}) is there {count} times")
        if step not in steps | ending:
            yield Finding(Fault.UNEXPECTED, f"job {row.id} ({row.kind}) left effect {_name(step)}, which it has not")
    if row.state == "succeeded":
        for step in sorted((steps | ending) - effects.keys()):
            yield Finding(Fault.LOST, f"job {row.id} ({row.kind}) succeeded without its effect {_name(step)}")
    elif COMPLETION in effects:
        yield Finding(Fault.UNEXPECTED, f"job {row.id} ({row.kind}) is {row.state}, but its completion has an effect")


def _name(step: int) -> str:
    return "of its completion" if step == COMPLETION else str(step)
