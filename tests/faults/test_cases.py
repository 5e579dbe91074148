"""Each fault under load: recovery within its budget, and every promise in the ledger kept."""

import pytest

from taskhub_local.faults.cases import CASES
from taskhub_local.faults.runner import Setting, run_case

from .conftest import Reports, skip_unless_possible

_PARAMETERS = [
    pytest.param(name, id=name, marks=[pytest.mark.quick] if case.quick else []) for name, case in CASES.items()
]


@pytest.mark.asyncio
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", _PARAMETERS)
async def test_every_promise_is_kept_through(name: str, setting: Setting, reports: Reports, seed: int) -> None:
    case = CASES[name]
    skip_unless_possible(case, setting, reports)
    report = await run_case(case, setting, seed=seed)
    reports.take(report)
