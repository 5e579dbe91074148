"""What one case came to: its figures, and the request rate through the fault, second by second."""

import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from taskhub_local.faults.client import Call
from taskhub_local.faults.machine import Machine
from taskhub_local.faults.report import CaseReport

FILE = "outcome.json"


@dataclass(frozen=True, slots=True)
class Rate:
    """One second of load."""

    second: int
    """Since the fault began; negative before."""
    answered: int
    failed: int
    """No answer, or 5xx."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One row of the report. Times in seconds."""

    case: str
    breaks: str
    counted_from: str
    budget_seconds: float
    measured_seconds: float | None
    """None: it did not recover while it was watched."""
    requests: int
    failed: int
    """Requests without an answer, or answered 5xx; the client repeated the writes among them."""
    unknown: int
    """Writes of which no answer ever said whether they were done."""
    lost: int
    duplicated: int
    duration_seconds: float
    finished_at: float
    rates: tuple[Rate, ...]
    notes: tuple[str, ...]
    failures: tuple[str, ...]
    alerts: tuple[str, ...] | None = None
    """What fired, and when since the fault began. None: nothing watched."""
    machine: Machine | None = None
    """None: the case did not come that far."""

    @property
    def passed(self) -> bool:
        """Whether every promise was kept."""
        return not self.failures


def has_failed(call: Call) -> bool:
    """Whether a request failed, whatever became of its repetitions."""
    return call.answer.status is None or call.answer.status >= 500


def rates(calls: Iterable[Call], began_at: float) -> tuple[Rate, ...]:
    """Count requests by the second in which they ended, from the first to the last, quiet seconds included."""
    answered: Counter[int] = Counter()
    failed: Counter[int] = Counter()
    for call in calls:
        second = math.floor(call.probe.ended - began_at)
        (failed if has_failed(call) else answered)[second] += 1
    seconds = answered.keys() | failed.keys()
    if not seconds:
        return ()
    return tuple(Rate(second, answered[second], failed[second]) for second in range(min(seconds), max(seconds) + 1))


def outcome_of(report: CaseReport, calls: Sequence[Call], began_at: float | None, seconds: float) -> Outcome:
    """Put together what the driver reports and what its client saw."""
    first = calls[0].probe.ended if calls else 0.0
    return Outcome(
        case=report.name,
        breaks=report.breaks,
        counted_from=report.counted_from,
        budget_seconds=report.budget_seconds,
        measured_seconds=round(report.recovery_seconds, 3) if math.isfinite(report.recovery_seconds) else None,
        requests=len(calls),
        failed=sum(has_failed(call) for call in calls),
        unknown=report.unknown,
        lost=report.lost,
        duplicated=report.doubled,
        duration_seconds=round(seconds, 1),
        finished_at=round(time.time(), 1),
        rates=rates(calls, began_at or first),
        notes=report.notes,
        failures=report.failures,
        machine=report.machine,
    )


def broken(case: str, breaks: str, budget_seconds: float, counted_from: str, *, why: str, seconds: float) -> Outcome:
    """Return the outcome of a case that could not even be judged."""
    return Outcome(
        case=case,
        breaks=breaks,
        counted_from=counted_from,
        budget_seconds=budget_seconds,
        measured_seconds=None,
        requests=0,
        failed=0,
        unknown=0,
        lost=0,
        duplicated=0,
        duration_seconds=round(seconds, 1),
        finished_at=round(time.time(), 1),
        rates=(),
        notes=(),
        failures=(why,),
    )


def save(outcome: Outcome, folder: Path) -> None:
    """Write an outcome into the folder of its case."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps({**asdict(outcome), "passed": outcome.passed}, indent=1) + "\n")


def load(folder: Path) -> Outcome:
    """Read an outcome back."""
    fields = json.loads((folder / FILE).read_text())
    del fields["passed"]
    fields["rates"] = tuple(Rate(**one) for one in fields["rates"])
    machine = fields.get("machine")  # earlier outcomes have none
    fields["machine"] = machine and Machine(**machine)
    return Outcome(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})
