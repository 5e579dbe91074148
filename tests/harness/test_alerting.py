"""An alert that no case may have caused fails the case in which it fired."""

import pytest
from tests.e2e.alerting import false_alerts
from tests.e2e.watch import Fired

_BEGAN_AT = 1_000_000.0
_OURS = frozenset({"RedisDown"})


def _false(alert: str, earlier: list[tuple[float, frozenset[str]]] | None = None) -> list[str]:
    found = false_alerts([Fired(alert, 15.0, 30.0)], _OURS, earlier or [], _BEGAN_AT)
    return [one.alert for one in found]


def test_an_alert_that_the_case_may_cause_is_right() -> None:
    assert _false("RedisDown") == []


def test_an_alert_that_nothing_may_cause_is_false() -> None:
    assert _false("PostgresDown") == ["PostgresDown"]


@pytest.mark.parametrize(
    ("minutes_before", "false"), [(1, []), (14, []), (16, ["PostgresDown"]), (60, ["PostgresDown"])]
)
def test_an_alert_may_be_for_a_case_of_the_last_fifteen_minutes(minutes_before: int, false: list[str]) -> None:
    earlier = [(_BEGAN_AT - minutes_before * 60, frozenset({"PostgresDown"}))]
    assert _false("PostgresDown", earlier) == false
