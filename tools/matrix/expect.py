"""What the matrix says about the alerts of one case: which are the right ones, and which may fire beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.matrix.model import Matrix, Row, names


@dataclass(frozen=True, slots=True)
class Expectation:
    """The alerts of a fault case or an e2e case."""

    right: frozenset[str]
    """At least one of them fires, if the failure lasts longer than its rule waits."""
    allowed: frozenset[str]
    """Any alert that is not among these (which include the right ones) is a false one."""


def expectation(matrix: Matrix, case: str) -> Expectation:
    """What the rows that name the case say together. Raises LookupError where there is none."""
    rows = [row for row in matrix.rows if case in [*names(row.faults), *names(row.e2e)]]
    if not rows:
        raise LookupError(f"no row of failure-modes.yaml names the case {case}")
    return _together(matrix, rows)


def expectation_of_row(matrix: Matrix, row_id: str) -> Expectation:
    """What one row says. Raises LookupError where there is none."""
    rows = [row for row in matrix.rows if row.id == row_id]
    if not rows:
        raise LookupError(f"no row of failure-modes.yaml has the id {row_id}")
    return _together(matrix, rows)


def _together(matrix: Matrix, rows: Sequence[Row]) -> Expectation:
    right = frozenset(name for row in rows for name in names(row.alerts))
    return Expectation(right, right.union(matrix.may_always_fire, *(row.may_fire for row in rows)))
