"""Elasticsearch dies, stands still, and loses its index (failure mode 6)."""

import httpx

from taskhub_core.settings import SearchSettings
from taskhub_local.errors import LocalError
from taskhub_local.faults import plain
from taskhub_local.faults.case import Felt, Need
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import degraded_at_all, searches_answered, writes_unharmed
from taskhub_local.faults.stage import Stage

_ELASTICSEARCH = "elasticsearch"
_FROZEN_SECONDS = 15.0
_START_SECONDS = 240.0
ALIAS = SearchSettings.model_fields["search_alias"].default


def _is_healthy(stage: Stage) -> bool:
    answer = plain.get(f"{address(stage)}/_cluster/health?timeout=1s", timeout_seconds=3)
    return answer.is_success and answer.json()["status"] in {"green", "yellow"}


def address(stage: Stage) -> str:
    """Elasticsearch's own address. Raises LocalError on a platform without it."""
    url = stage.target.elasticsearch_url
    if url is None:
        raise LocalError("the platform runs without Elasticsearch")
    return url


async def kill_elasticsearch(stage: Stage) -> float:
    """kill -9 of the server; the supervisor starts it again, which takes its time."""
    stage.breaks("kill -9 of Elasticsearch")
    former = stage.target.kill(_ELASTICSEARCH)
    await stage.until(lambda: not former.is_running(), seconds=10, what="the server is gone")
    await stage.until(lambda: _is_healthy(stage), seconds=_START_SECONDS, what="Elasticsearch is healthy again")
    return stage.heals("Elasticsearch is healthy")


async def freeze_elasticsearch(stage: Stage) -> float:
    """SIGSTOP of the server: connections are taken, and nothing answers."""
    await stage.freezes(_ELASTICSEARCH, "Elasticsearch", _FROZEN_SECONDS)
    await stage.until(lambda: _is_healthy(stage), seconds=_START_SECONDS, what="Elasticsearch is healthy again")
    return stage.heals("Elasticsearch is healthy")


async def delete_index(stage: Stage) -> float:
    """Delete the index behind the alias, and with it the alias."""
    url = address(stage)
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
        (index,) = (await client.get(f"/_alias/{ALIAS}")).raise_for_status().json()
        since = stage.breaks(f"DELETE of the index {index}")
        (await client.delete(f"/{index}")).raise_for_status()
    return since


NEEDS = frozenset({Need.ELASTICSEARCH})
_CHECKS = (searches_answered(1.0, at_most=2.0), degraded_at_all, writes_unharmed)

CASES = (
    case(
        "elasticsearch-kill",
        "kill -9 of Elasticsearch",
        kill_elasticsearch,
        felt=Felt.SEARCHES,
        checks=_CHECKS,
        needs=NEEDS,
        settle_seconds=150.0,
    ),
    case(
        "elasticsearch-freeze",
        f"Elasticsearch frozen for {_FROZEN_SECONDS:g} s",
        freeze_elasticsearch,
        felt=Felt.SEARCHES,
        checks=_CHECKS,
        needs=NEEDS,
        quick=True,
    ),
    case(
        "index-deleted",
        "the search index deleted",
        delete_index,
        felt=Felt.SEARCHES,
        checks=_CHECKS,
        needs=NEEDS,
        quick=True,
    ),
)
