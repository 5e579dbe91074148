"""The circuit breaker's states."""

import pytest

from taskhub_core.search.breaker import BreakerState, CircuitBreaker


@pytest.fixture
def breaker() -> CircuitBreaker:
    return CircuitBreaker("test", failures_to_open=3)


def test_it_opens_after_failures_in_a_row_only(breaker: CircuitBreaker) -> None:
    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    assert [breaker.failed(), breaker.failed(), breaker.failed()] == [False, False, True]
    assert breaker.state is BreakerState.OPEN
    assert not breaker.lets_through


def test_calls_that_began_before_it_opened_change_nothing(breaker: CircuitBreaker) -> None:
    opened = [breaker.failed() for _ in range(5)]
    assert opened.count(True) == 1, "probing must begin once"
    breaker.succeeded()
    assert breaker.state is BreakerState.OPEN
    breaker.probe_begins()
    breaker.succeeded()
    assert not breaker.failed()
    assert breaker.state is BreakerState.HALF_OPEN


def test_a_probe_decides(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        breaker.failed()
    breaker.probe_begins()
    breaker.probe_failed()
    assert breaker.state is BreakerState.OPEN
    breaker.probe_begins()
    breaker.probe_succeeded()
    assert breaker.lets_through
    assert [breaker.failed(), breaker.failed()] == [False, False], "failures are counted from zero again"
