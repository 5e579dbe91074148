"""The fault driver's load on the watched cluster, judged by its ledger, while something nobody may feel is done."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from taskhub_local.faults.case import Case, Felt
from taskhub_local.faults.client import Client
from taskhub_local.faults.pulse import Pulse
from taskhub_local.faults.report import CaseReport
from taskhub_local.faults.runner import run_case
from taskhub_local.faults.stage import Stage
from tests.alarms.conftest import Watched
from tests.e2e.case import PLAN
from tests.e2e.outcome import has_failed
from tests.e2e.reach import SinkHooks
from tests.e2e.ready import until_at_rest, until_well


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the load came to."""

    report: CaseReport
    failed: int
    """Requests without an answer, or answered 5xx."""

    def assert_nothing_was_felt(self) -> None:
        """Raises AssertionError where a request failed, a promise was broken or writes stood still."""
        assert self.failed == 0
        assert not self.report.failures


def under_load(watched: Watched, name: str, breaks: str, act: Callable[[Stage], Awaitable[float]]) -> Loaded:
    """Do it under load, once the cluster is well and at rest."""
    clients: list[Client] = []

    def see(client: Client, _pulse: Pulse, _stage: Stage) -> None:
        clients.append(client)

    setting = replace(watched.setting, receiver=SinkHooks, watch=see)
    case = Case(
        name=name,
        breaks=breaks,
        act=act,
        felt=Felt.WRITES,
        budget_seconds=1,
        counted_from="the beginning",
        plan=PLAN,
        settle_seconds=120,
    )

    async def run() -> CaseReport:
        await until_well(watched.kube, setting)
        await until_at_rest(setting)
        return await run_case(case, setting, seed=7)

    report = asyncio.run(run())
    return Loaded(report, sum(has_failed(call) for call in clients[0].calls))
