"""The report of make e2e says what the client saw: each failed request counts, and no second is left out."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.e2e.cases.checks import nothing_failed
from tests.e2e.outcome import FILE, Rate, broken, has_failed, load, rates, save
from tests.e2e.report import markdown, outcomes_in

from taskhub_local.faults.case import Evidence
from taskhub_local.faults.client import Call
from taskhub_local.faults.ledger import Answer, Operation, Outcome, Request
from taskhub_local.faults.machine import Machine
from taskhub_local.faults.recovery import Probe


def call(ended: float, status: int | None, operation: Operation = Operation.CREATE) -> Call:
    outcome = Outcome.ACKNOWLEDGED if status == 201 else Outcome.UNKNOWN
    return Call(
        Request(operation=operation, key=str(uuid.uuid4())),
        Probe(ended - 0.1, ended, status == 201),
        Answer(status=status, outcome=outcome, seconds=0.1),
        None,
    )


def evidence(calls: Sequence[Call]) -> Evidence:
    return Evidence(
        began_at=100, since=100, ended_at=110, writes=calls, searches=(), calls=calls, jobs=(), events=(),
        fenced_writes=0,
    )  # fmt: skip


def test_a_request_without_an_answer_or_with_5xx_has_failed() -> None:
    assert [has_failed(call(1, status)) for status in (201, 412, 429, 500, 502, 503, None)] == [
        False, False, False, True, True, True, True,
    ]  # fmt: skip


def test_rates_count_from_the_fault_and_leave_no_quiet_second_out() -> None:
    calls = [call(99.5, 201), call(100.2, 201), call(100.9, None), call(102.5, 503)]
    assert rates(calls, 100) == (Rate(-1, 1, 0), Rate(0, 1, 1), Rate(1, 0, 0), Rate(2, 0, 1))


def test_a_single_failed_request_breaks_the_promise_that_nothing_fails() -> None:
    fine = [call(101, 201), call(102, 412)]
    assert not nothing_failed(evidence(fine)).complaint
    # A failure before the fault began is not the fault's.
    assert not nothing_failed(evidence([call(99, 502), *fine])).complaint
    complaint = nothing_failed(evidence([*fine, call(103, 502)])).complaint
    assert "1 requests failed" in complaint
    assert "a create with 502" in complaint


def test_outcomes_come_back_as_they_were_saved_and_in_the_order_of_the_cases(tmp_path: Path) -> None:
    first = broken("first", "one thing", 5, "the kill", why="it was | not well", seconds=1.5)
    second = replace(
        first, case="second", measured_seconds=1.25, failures=(), rates=(Rate(0, 3, 1),), notes=("a",),
        machine=Machine(0.4, 0.5),
    )  # fmt: skip
    for outcome in (second, first):
        save(outcome, tmp_path / outcome.case)
    assert load(tmp_path / "second") == second
    assert outcomes_in(tmp_path, ["first", "second"]) == [first, second]
    assert outcomes_in(tmp_path, ["second"]) == [second, first]


def test_an_outcome_from_before_machines_were_measured_is_still_read(tmp_path: Path) -> None:
    old = broken("old", "a thing", 5, "the kill", why="nobody answered", seconds=1)
    save(old, tmp_path / "old")
    path = tmp_path / "old" / FILE
    path.write_text(
        json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != "machine"})
    )
    assert load(tmp_path / "old") == old


def test_the_table_names_every_case_and_what_failed() -> None:
    bad = broken("bad", "a | thing", 5, "the kill", why="nobody answered", seconds=1)
    good = replace(bad, case="good", measured_seconds=1.25, failures=(), machine=Machine(0.42, 0.873))
    table = markdown([bad, good])
    assert "| not watched | not measured |" in table
    assert "| not watched | 0.42 s, 87% |" in table
    assert "5,000,000 additions" in table
    assert "| ✗ `bad` | a \\| thing | 5 s | never |" in table
    assert "| ✓ `good` |" in table
    assert "| 1.2 s |" in table
    assert "- **bad**: nobody answered" in table
