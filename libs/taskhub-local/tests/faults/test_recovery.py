"""Recovery is measured to the first success after which success stays, never to a lucky one in between."""

import math

import pytest

from taskhub_local.faults.recovery import Probe, longest_gap, percentile, recovery_seconds


def probes(text: str) -> list[Probe]:
    """One probe for each character, ten a second: '.' succeeded, 'x' failed."""
    return [Probe(number / 10, number / 10 + 0.05, mark == ".") for number, mark in enumerate(text)]


def test_a_fault_that_nobody_felt_took_no_time() -> None:
    assert recovery_seconds(probes("x....."), since=0.2) == 0.0


def test_recovery_is_counted_to_the_success_after_the_last_failure() -> None:
    assert recovery_seconds(probes("..xx.x.."), since=0.2) == pytest.approx(0.45)


def test_a_probe_under_way_when_the_fault_came_counts() -> None:
    hung = Probe(0.1, 3.0, ok=False)
    assert recovery_seconds([*probes("...."), hung, Probe(3.1, 3.2, ok=True)], since=0.2) == pytest.approx(3.0)


def test_what_still_fails_at_the_end_has_not_recovered() -> None:
    assert recovery_seconds(probes("..x.xx"), since=0.1) == math.inf


def test_a_share_of_failures_may_be_tolerated() -> None:
    stream = probes("..xxx.x.........x...")
    assert recovery_seconds(stream, since=0.15) == pytest.approx(1.6)
    assert recovery_seconds(stream, since=0.15, tolerated=0.1) == pytest.approx(0.6)
    assert recovery_seconds(probes("........x..."), since=0.0, tolerated=0.1) == 0.0
    assert recovery_seconds(probes("..xxxxxxxx"), since=0.15, tolerated=0.1) == math.inf


def test_the_longest_gap_is_between_two_successes() -> None:
    assert longest_gap(probes("..xxx..x.")) == pytest.approx(0.4)
    assert longest_gap(probes("x")) == 0.0


def test_percentiles_are_values_that_were_seen() -> None:
    assert [percentile([4, 1, 3, 2], share) for share in (0.0, 0.5, 0.95, 1.0)] == [1, 2, 4, 4]
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)
