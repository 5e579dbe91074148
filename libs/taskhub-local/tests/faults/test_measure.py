"""Promptness is judged by how things went before the fault; what is not out in time counts as failed."""

import pytest

from taskhub_local.faults.measure import Way, as_probes, promptness


def test_what_is_prompt_depends_on_how_it_went_before() -> None:
    quick = [Way(0.0, 0.1, out=True)] * 20
    slow = [Way(0.0, 2.0, out=True)] * 20
    assert promptness(quick) == 1.0, "a second is prompt anywhere"
    assert promptness(slow) == pytest.approx(6.0)
    assert promptness([]) == 1.0


def test_a_late_way_and_one_that_is_overdue_fail_and_a_young_one_is_not_judged() -> None:
    ways = [Way(0.0, 0.5, out=True), Way(0.0, 5.0, out=True), Way(0.0, 5.0, out=False), Way(0.0, 0.5, out=False)]
    assert [probe.ok for probe in as_probes(ways, prompt_seconds=1.0)] == [True, False, False]
