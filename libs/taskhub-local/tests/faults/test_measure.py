"""Promptness is judged by how things went before the fault; what is not out in time counts as failed."""

import math

import pytest

from taskhub_local.faults.client import Call
from taskhub_local.faults.ledger import Answer, Operation, Outcome, Request
from taskhub_local.faults.measure import Way, as_probes, late_seconds, promptness, what_was_heard
from taskhub_local.faults.recovery import Probe


def test_what_is_prompt_depends_on_how_it_went_before() -> None:
    quick = [Way(0.0, 0.1, out=True)] * 20
    slow = [Way(0.0, 2.0, out=True)] * 20
    assert promptness(quick) == 1.0, "a second is prompt anywhere"
    assert promptness(slow) == 5.0, "not even a busy machine makes more than five seconds prompt"
    assert promptness([Way(0.0, 0.6, out=True)]) == pytest.approx(1.8)
    assert promptness([]) == 1.0


def test_a_late_way_and_one_that_is_overdue_fail_and_a_young_one_is_not_judged() -> None:
    ways = [Way(0.0, 0.5, out=True), Way(0.0, 5.0, out=True), Way(0.0, 5.0, out=False), Way(0.0, 0.5, out=False)]
    assert [probe.ok for probe in as_probes(ways, prompt_seconds=1.0)] == [True, False, False]


def test_recovery_lasts_until_the_last_late_one_is_out() -> None:
    ways = [Way(0.0, 9.0, out=True), Way(10.0, 25.0, out=True), Way(24.0, 24.5, out=True), Way(30.0, 30.4, out=True)]
    assert late_seconds(ways, 12.0, prompt_seconds=1.0) == pytest.approx(13.0)
    assert late_seconds(ways, 26.0, prompt_seconds=1.0) == 0.0
    assert late_seconds([*ways, Way(11.0, 60.0, out=False)], 12.0, prompt_seconds=1.0) == math.inf


def test_what_clients_heard_is_told_with_its_time() -> None:
    calls = [
        _call(0.5, 1.0, 503, "unavailable"),
        _call(2.0, 2.1, None, "ReadError"),
        _call(1.0, 1.5, 502),
        _call(2.0, 2.2, 201),
    ]
    assert (
        what_was_heard(calls, 1.2)
        == "502 0.30 s after that, sent 0.50 s before; ReadError 0.90 s after that, sent 0.10 s before"
    )
    assert what_was_heard(calls, 0.0, most=1) == "2 earlier ones; ReadError 2.10 s after that, sent 0.10 s before"
    assert what_was_heard(calls, 2.1) == ""


def _call(began: float, ended: float, status: int | None, detail: str = "") -> Call:
    outcome = Outcome.ACKNOWLEDGED if status == 201 else Outcome.UNKNOWN
    answer = Answer(status=status, outcome=outcome, seconds=ended - began, detail=detail)
    return Call(Request(operation=Operation.CREATE, key="one"), Probe(began, ended, status == 201), answer, None)
