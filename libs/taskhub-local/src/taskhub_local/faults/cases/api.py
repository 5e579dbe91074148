"""The API dies (failure mode 1)."""

from taskhub_local.faults.case import Felt
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import felt_at_all
from taskhub_local.faults.stage import Stage

_API = "api"


async def kill_api(stage: Stage) -> float:
    """kill -9 of the only API process. Its supervisor starts it again; clients repeat what failed."""
    since = stage.breaks("kill -9 of the API")
    former = stage.target.kill(_API)
    await stage.until_replaced(_API, former.pid)
    return since


CASES = (case("api-kill", "kill -9 of the API", kill_api, felt=Felt.WRITES, checks=(felt_at_all,), quick=True),)
