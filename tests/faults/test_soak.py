"""Faults at random, for as long as asked: `make faults SOAK=600`."""

import pytest

from taskhub_local.faults.runner import Setting, run_case
from taskhub_local.faults.soak import soak_case

from .conftest import Reports


@pytest.mark.soak
@pytest.mark.asyncio
@pytest.mark.timeout(0)
async def test_every_promise_is_kept_through_faults_at_random(
    setting: Setting, reports: Reports, seed: int, pytestconfig: pytest.Config
) -> None:
    case = soak_case(setting, seconds=pytestconfig.getoption("--soak"), seed=seed)
    report = await run_case(case, setting, seed=seed)
    reports.take(report)
