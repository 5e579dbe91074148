"""The API dies (failure mode 1)."""

from taskhub_local.faults.case import Felt, Need
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import felt_at_all
from taskhub_local.faults.stage import Stage
from taskhub_local.parts.app import App

_API = App.API.value


async def kill_one_api(stage: Stage) -> float:
    """kill -9 of one of two API processes behind a load balancer, as every deployment has them."""
    async with stage.host.another(App.API):
        await stage.last(3)  # connections to both
        since = stage.breaks("kill -9 of one of two API processes")
        former = stage.target.kill(_API)
        await stage.until_replaced(_API, former.pid)
        await stage.last(3)
        stage.ends_here()
    return since


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
