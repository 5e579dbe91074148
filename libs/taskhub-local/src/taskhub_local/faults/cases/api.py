"""The API dies (failure mode 1)."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from taskhub_local.faults.case import Felt, Need
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import felt_at_all
from taskhub_local.faults.stage import Stage
from taskhub_local.parts.app import App

_API = App.API.value


async def kill_one_api(stage: Stage) -> float:
    """kill -9 of one of two API processes behind a load balancer, as every deployment has them, with work in hand."""
    async with stage.host.another(App.API):
        await stage.last(3)  # connections to both
        async with _with_requests_in_hand(stage):
            since = stage.breaks("kill -9 of one of two API processes")
            former = stage.target.kill(_API)
        await stage.until_replaced(_API, former.pid)
        await stage.last(3)
        await stage.ends_here()
    return since


@asynccontextmanager
async def _with_requests_in_hand(stage: Stage) -> AsyncIterator[None]:
    """Run the block while the API has a request that it cannot answer any more: a fast one often has none at all."""
    port = stage.host.platform.options.ports.api
    frozen = stage.target.freeze(_API)
    since = time.monotonic()
    try:
        await stage.until(lambda: stage.host.balancer.unanswered(port, since), seconds=10, what="a request waits at it")
        yield
    finally:
        frozen.thaw()


async def kill_api(stage: Stage) -> float:
    """kill -9 of the only API process: nobody answers until its supervisor has started it again."""
    since = stage.breaks("kill -9 of the only API process")
    former = stage.target.kill(_API)
    await stage.until_replaced(_API, former.pid)
    return since


CASES = (
    case(
        "api-kill",
        "kill -9 of one of two API processes",
        kill_one_api,
        felt=Felt.WRITES,
        checks=(felt_at_all,),
        needs=frozenset({Need.HOST}),
        quick=True,
    ),
    case("api-kill-only", "kill -9 of the only API process", kill_api, felt=Felt.WRITES, checks=(felt_at_all,)),
)
