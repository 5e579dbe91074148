"""Elasticsearch's disk is full: it takes no writes, and goes on answering searches (failure mode 6)."""

from typing import Any

import httpx

from taskhub_local.faults import plain
from taskhub_local.faults.case import Felt
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.cases.search import ALIAS, NEEDS, address
from taskhub_local.faults.checks import events_waited, searches_answered, writes_unharmed
from taskhub_local.faults.stage import Stage

_FULL_SECONDS = 10.0
_NOTICED_SECONDS = 60.0
_DISK = "cluster.routing.allocation.disk"
_LEVELS = ("low", "high", "flood_stage")
_LOOKS = {"cluster.info.update.interval": "10s", f"{_DISK}.threshold_enabled": True}
"""How often it looks at its disk: as often as it can be told to."""
_BLOCK = "index.blocks.read_only_allow_delete"


async def fill_disk(stage: Stage) -> float:
    """Have Elasticsearch want more room than any disk has: it blocks writes itself, and lifts the block itself."""
    url = address(stage)
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
        stage.breaks("no room on Elasticsearch's disk")
        try:
            await _set(client, _LOOKS | _wanted("1000pb"))
            await stage.until(lambda: _is_blocked(url), seconds=_NOTICED_SECONDS, what="Elasticsearch takes no writes")
            stage.say(f"Elasticsearch takes no writes, for {_FULL_SECONDS:g} s")
            await stage.last(_FULL_SECONDS)
            await _set(client, _wanted("1b"))
            await stage.until(lambda: not _is_blocked(url), seconds=_NOTICED_SECONDS, what="it takes writes again")
            return stage.heals("Elasticsearch takes writes")
        finally:
            await _set(client, dict.fromkeys(_LOOKS | _wanted("")))


def _wanted(room: str) -> dict[str, Any]:
    """The free space below which it moves shards away, and blocks writes."""
    return {f"{_DISK}.watermark.{level}": room for level in _LEVELS}


async def _set(client: httpx.AsyncClient, settings: dict[str, Any]) -> None:
    (await client.put("/_cluster/settings", json={"persistent": settings})).raise_for_status()


def _is_blocked(url: str) -> bool:
    answer = plain.get(f"{url}/{ALIAS}/_settings/{_BLOCK}", params={"flat_settings": "true"}, timeout_seconds=3)
    indices = answer.raise_for_status().json()
    return any(index["settings"].get(_BLOCK) == "true" for index in indices.values())


CASES = (
    case(
        "elasticsearch-full",
        "no room on Elasticsearch's disk: it blocks writes, and lifts the block",
        fill_disk,
        felt=Felt.EVENTS,
        checks=(events_waited, searches_answered(1.0, at_most=2.0), writes_unharmed),
        needs=NEEDS,
    ),
)
