"""Proves the matrix: every cell names something that exists, and everything that exists is named by a cell."""

import re
from collections import Counter
from collections.abc import Container, Iterator

from tools.matrix.model import Cell, Matrix, Planned, Recovery, Row, names
from tools.matrix.world import World

CELLS = ("metrics", "alerts", "panels", "promtool", "faults", "e2e")


def problems(matrix: Matrix, world: World) -> Iterator[str]:
    """One sentence for each thing that does not hold."""
    yield from _doubles(matrix)
    yield from _seed(matrix)
    for row in matrix.rows:
        for problem in _row(row, world):
            yield f"{row.id}: {problem}"
    yield from _dangling("alert", matrix.may_always_fire, world.alerts.keys())
    yield from _unnamed(matrix, world)


def planned(matrix: Matrix) -> Iterator[tuple[str, str, str]]:
    """Row, cell and reason of each proof that is still to come."""
    for row in matrix.rows:
        for name in ("recovery", *CELLS):
            cell = getattr(row, name)
            if isinstance(cell, Planned):
                yield row.id, name, cell.planned


def _doubles(matrix: Matrix) -> Iterator[str]:
    for what, ids in (
        ("mode", [mode.id for mode in matrix.modes]),
        ("row", [row.id for row in matrix.rows]),
        ("line of the first description", [line.id for line in matrix.seed]),
    ):
        yield from (f"the {what} {name} is there {count} times" for name, count in Counter(ids).items() if count > 1)


def _seed(matrix: Matrix) -> Iterator[str]:
    known = {line.id for line in matrix.seed}
    kept = {name for row in matrix.rows for name in row.seed}
    yield from (f"no row keeps line {name} of the first description" for name in sorted(known - kept))
    yield from (f"there is no line {name} in the first description" for name in sorted(kept - known))
    for number in range(1, 9):
        breaks = {line.id for line in matrix.seed if line.id.startswith(f"{number}.breaks.")}
        if not breaks:
            yield f"the first description has no 'what breaks' for mode {number}"


def _row(row: Row, world: World) -> Iterator[str]:
    yield from _dangling("metric", row.metrics, world.metrics)
    yield from _dangling("alert", row.alerts, world.alerts.keys())
    yield from _dangling("alert", row.may_fire, world.alerts.keys())
    yield from _dangling("panel", row.panels, world.panels)
    yield from _dangling("runbook", row.pages, world.runbooks)
    if not row.pages:
        yield "it has no runbook, and no alert that has one"
    yield from _dangling("promtool test", row.promtool, world.promtool.keys())
    yield from _dangling("fault case", row.faults, world.budgets.keys())
    yield from _dangling("e2e case", row.e2e, world.e2e)
    yield from _budget(row, world)
    for path in re.findall(r"[\w./-]+/[\w./-]+\.py", row.model_dump_json()):
        if path not in world.tests:
            yield f"there is no file {path}"
    for alert in names(row.alerts):
        if alert not in row.pages:
            yield f"the runbook of {alert} is not among its runbooks"
        if isinstance(row.promtool, list) and not any(alert in world.promtool.get(name, "") for name in row.promtool):
            yield f"none of its promtool tests mentions {alert}"
    for alert in names(row.alerts):
        if alert in row.may_fire:
            yield f"{alert} must fire and may fire"


def _dangling(what: str, cell: Cell, known: Container[str]) -> Iterator[str]:
    yield from (f"there is no {what} {name!r}" for name in names(cell) if name not in known)


def _budget(row: Row, world: World) -> Iterator[str]:
    """The promise is what the cases hold it to: those on one machine, or on a cluster where there are no others."""
    budgets = world.budgets if isinstance(row.faults, list) else world.e2e
    given = (row.recovery.seconds, row.recovery.counted_from) if isinstance(row.recovery, Recovery) else None
    for name in names(row.faults) or names(row.e2e):
        budget = budgets.get(name)
        if budget is not None and given != (budget.seconds, budget.counted_from):
            yield f"its recovery is {given}, but the budget of the case {name} is {budget}"


def _unnamed(matrix: Matrix, world: World) -> Iterator[str]:
    """What exists and is in no row: an alert that no failure must fire, a case that proves nothing."""
    modes = {mode.id for mode in matrix.modes}
    for what, known, named in (
        ("mode", modes, {row.mode for row in matrix.rows}),
        ("alert", set(world.alerts), _alerts(matrix)),
        ("fault case", set(world.budgets), {name for row in matrix.rows for name in names(row.faults)}),
        ("e2e case", set(world.e2e), {name for row in matrix.rows for name in names(row.e2e)}),
    ):
        yield from (f"the {what} {name} is in no row" for name in sorted(known - named))
    yield from (f"there is no mode {name}" for name in sorted({row.mode for row in matrix.rows} - modes))


def _alerts(matrix: Matrix) -> set[str]:
    return {name for row in matrix.rows for name in names(row.alerts)} | set(matrix.may_always_fire)
