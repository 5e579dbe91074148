"""The linter of failure-modes.yaml finds each way in which the matrix could lie."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from tools.matrix.check import planned, problems
from tools.matrix.expect import expectation, expectation_of_row
from tools.matrix.model import FILE, ROOT, Matrix, load
from tools.matrix.page import render
from tools.matrix.world import World, look

from taskhub_local.faults.budgets import Budget


@pytest.fixture(scope="module")
def world() -> World:
    """What there is in the repository."""
    return look(ROOT)


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    """The file."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return found


@pytest.fixture
def document(committed: dict[str, Any]) -> dict[str, Any]:
    """The file, to be changed."""
    return deepcopy(committed)


def _row(document: dict[str, Any], name: str) -> dict[str, Any]:
    row: dict[str, Any] = next(row for row in document["rows"] if row["id"] == name)
    return row


def test_the_matrix_holds(world: World) -> None:
    assert list(problems(load(), world)) == []


def test_every_line_of_the_first_description_is_kept() -> None:
    lines = [line.id for line in load().seed]
    assert len(lines) == 77
    assert [sum(one.startswith(f"{number}.") for one in lines) for number in range(1, 9)] == [10, 10, 11, 9, 7, 8, 6, 7]


DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a fault case that is not there": (
        lambda d: _row(d, "redis-killed").update(faults=["redis-melt"]),
        "redis-killed: there is no fault case 'redis-melt'",
    ),
    "an alert that is not there": (
        lambda d: _row(d, "redis-killed").update(alerts=["RedisSad"]),
        "redis-killed: there is no alert 'RedisSad'",
    ),
    "an alert that may fire and is not there": (
        lambda d: _row(d, "redis-killed")["may_fire"].append("RedisSad"),
        "redis-killed: there is no alert 'RedisSad'",
    ),
    "a panel that is not there": (
        lambda d: _row(d, "redis-killed").update(panels=["redis/Mood"]),
        "redis-killed: there is no panel 'redis/Mood'",
    ),
    "a metric that nobody emits": (
        lambda d: _row(d, "redis-killed").update(metrics=["taskhub_mood"]),
        "redis-killed: there is no metric 'taskhub_mood'",
    ),
    "a runbook that is not there": (
        lambda d: _row(d, "network-open").update(runbooks=["pray"]),
        "network-open: there is no runbook 'pray'",
    ),
    "a promtool test that is not there": (
        lambda d: _row(d, "redis-killed").update(promtool=["mood.yaml"]),
        "redis-killed: there is no promtool test 'mood.yaml'",
    ),
    "a promtool test about something else": (
        lambda d: _row(d, "redis-killed").update(promtool=["ingress.yaml"]),
        "redis-killed: none of its promtool tests mentions RedisDown",
    ),
    "an e2e case that is not there": (
        lambda d: _row(d, "redis-killed").update(e2e=["redis_melt"]),
        "redis-killed: there is no e2e case 'redis_melt'",
    ),
    "another budget than the case's": (
        lambda d: _row(d, "redis-killed")["recovery"].update(seconds=11),
        "redis-killed: its recovery is (11, 'the kill'), but the budget of the case redis-kill is",
    ),
    "a budget counted from another moment": (
        lambda d: _row(d, "redis-killed")["recovery"].update(counted_from="the thaw"),
        "redis-killed: its recovery is (10, 'the thaw')",
    ),
    "another budget than the e2e case's, where that is the only one": (
        lambda d: _row(d, "node-drained")["recovery"].update(seconds=1),
        "node-drained: its recovery is (1, 'the drain')",
    ),
    "a line that no row keeps": (
        lambda d: [row.pop("seed", None) for row in d["rows"] if "8.breaks.1" in row.get("seed", [])],
        "no row keeps line 8.breaks.1 of the first description",
    ),
    "a line that is not in the description": (
        lambda d: _row(d, "redis-killed")["seed"].append("4.breaks.9"),
        "there is no line 4.breaks.9 in the first description",
    ),
    "a case that no row names": (
        lambda d: _row(d, "job-deadly").update(faults={"none": "left out"}),
        "the fault case job-deadly is in no row",
    ),
    "an alert that no row expects": (
        lambda d: _row(d, "clock-skewed").update(alerts={"none": "left out"}, runbooks=["ClockSkewed"]),
        "the alert ClockSkewed is in no row",
    ),
    "a row without a runbook": (
        lambda d: _row(d, "clock-skewed").update(alerts={"none": "left out"}),
        "clock-skewed: it has no runbook, and no alert that has one",
    ),
    "a test that is not there": (
        lambda d: _row(d, "redis-killed").update(e2e={"none": "tests/test_mood.py holds it"}),
        "redis-killed: there is no file tests/test_mood.py",
    ),
    "a row twice": (
        lambda d: d["rows"].append(_row(d, "redis-killed")),
        "the row redis-killed is there 2 times",
    ),
    "a mode that is not there": (
        lambda d: _row(d, "redis-killed").update(mode="weather"),
        "there is no mode weather",
    ),
}


@pytest.mark.parametrize("damage, said", DAMAGES.values(), ids=DAMAGES)
def test_a_dangling_cell_is_found(
    damage: Callable[[dict[str, Any]], object], said: str, document: dict[str, Any], world: World
) -> None:
    damage(document)
    found = list(problems(Matrix.model_validate(document), world))
    assert any(problem.startswith(said) for problem in found), found


@pytest.mark.parametrize("cell", ["metrics", "alerts", "panels", "promtool", "faults", "e2e", "recovery"])
@pytest.mark.parametrize("empty", [None, [], "", {}, {"planned": ""}, {"none": ""}], ids=repr)
def test_an_empty_cell_is_refused(cell: str, empty: object, document: dict[str, Any]) -> None:
    _row(document, "redis-killed")[cell] = empty
    with pytest.raises(ValidationError):
        Matrix.model_validate(document)


def test_a_missing_cell_is_refused(document: dict[str, Any]) -> None:
    del _row(document, "redis-killed")["panels"]
    with pytest.raises(ValidationError):
        Matrix.model_validate(document)


def test_a_changed_budget_of_a_case_is_found(world: World) -> None:
    slower = replace(world, budgets={**world.budgets, "redis-kill": Budget(99, "the kill")})
    assert any("redis-killed: its recovery" in problem for problem in problems(load(), slower))


def test_a_new_case_must_be_in_a_row(world: World) -> None:
    more = replace(world, e2e={**world.e2e, "moon_falls": Budget(1, "the fall")})
    assert "the e2e case moon_falls is in no row" in list(problems(load(), more))


def test_planned_proofs_are_told_with_their_reason(document: dict[str, Any]) -> None:
    _row(document, "redis-killed")["e2e"] = {"planned": "needs a second cluster"}
    assert ("redis-killed", "e2e", "needs a second cluster") in list(planned(Matrix.model_validate(document)))


def test_the_page_names_every_row_and_keeps_cells_on_one_line() -> None:
    matrix = load()
    page = render(matrix, {"ApiDown"})
    for row in matrix.rows:
        assert row.breaks in page
    widths = {line.count(" | ") for line in page.splitlines() if line.startswith("| **")}
    assert widths == {4}


def test_the_alerts_of_a_case_are_told_from_its_rows() -> None:
    matrix = load()
    away = expectation(matrix, "postgres_deleted")
    assert away.right == {"PostgresDown"}
    assert {"PostgresDown", "JobQueueUnmeasured", "ApiAvailabilityBurnsFast"} <= away.allowed
    assert "RedisDown" not in away.allowed
    # In three rows, one a thing that is cut off.
    assert expectation(matrix, "postgres_partitioned").right == {
        "PostgresDown",
        "LeaseRenewalsFailing",
        "ConsumerPaused",
    }
    upgrade = expectation(matrix, "rolling_upgrade")
    assert upgrade.right == frozenset()
    assert upgrade.allowed == set(matrix.may_always_fire)


def test_the_alerts_of_a_row_are_its_own() -> None:
    matrix = load()
    gone = expectation_of_row(matrix, "dispatcher-killed")
    assert gone.right == {"DispatcherDown"}
    assert {"OutboxOld", "DispatchersPartlyDown", "ApiAvailabilityBurnsFast"} <= gone.allowed
    assert "RedisDown" not in gone.allowed


def test_a_case_without_a_row_has_no_expectation() -> None:
    with pytest.raises(LookupError, match="moon_falls"):
        expectation(load(), "moon_falls")
    with pytest.raises(LookupError, match="moon-falls"):
        expectation_of_row(load(), "moon-falls")
