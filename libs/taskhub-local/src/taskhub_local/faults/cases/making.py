"""Makes a case of an action, with its budget from the table."""

from collections.abc import Awaitable, Callable
from typing import Any

from taskhub_local.faults.budgets import BUDGETS
from taskhub_local.faults.case import Case, Felt
from taskhub_local.faults.stage import Stage


def case(name: str, breaks: str, act: Callable[[Stage], Awaitable[float]], *, felt: Felt, **options: Any) -> Case:
    """Return the case. `options` are Case's further fields."""
    budget = BUDGETS[name]
    return Case(
        name=name,
        breaks=breaks,
        act=act,
        felt=felt,
        budget_seconds=budget.seconds,
        counted_from=budget.counted_from,
        **options,
    )
