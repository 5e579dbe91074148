"""The index is damaged behind TaskHub's back: documents are gone, old, and of no task (failure mode 6)."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import closing

from taskhub_core.ids import new_id
from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt, Need
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.cases.search import ALIAS, NEEDS, address
from taskhub_local.faults.checks import searches_answered, writes_unharmed
from taskhub_local.faults.observed import IndexedTask
from taskhub_local.faults.stage import Stage
from taskhub_local.faults.tampering import Source, Tampering, numbered
from taskhub_local.parts.app import run_once

_EACH = 5
"""Documents of each damage."""
_INDEXED_SECONDS = 30.0
_REPAIRED_SECONDS = 30.0
_LIVE = "SELECT id, version FROM tasks WHERE id = ANY (%s) AND deleted_at IS NULL"


async def damage_index(stage: Stage) -> float:
    """Damage the index, and have it reconciled as the reconciler does every five minutes."""
    with closing(Tampering(address(stage), ALIAS)) as tampering:
        gone, old = await stage.until(
            lambda: _picked(tampering, stage.eyes.account_id), seconds=_INDEXED_SECONDS, what="there are documents"
        )
        stage.breaks(f"delete {_EACH} documents of the index, make {_EACH} old, and add {_EACH} of no task")
        damaged = await asyncio.to_thread(_damage, tampering, gone, old)
    if await asyncio.to_thread(_is_right, stage, damaged):
        raise LocalError("the index is as it was: the case did not damage it")
    since = stage.heals("reconcile")
    platform = stage.host.platform
    command = ("taskhub-sqs-consumer", "reconcile")
    await asyncio.to_thread(run_once, "reconcile", command, platform.folders, platform.app_environment())
    await stage.until(lambda: _is_right(stage, damaged), seconds=_REPAIRED_SECONDS, what="the index is right")
    stage.recovered("the index is right")
    return since


def _picked(tampering: Tampering, account_id: uuid.UUID) -> tuple[list[Source], list[Source]]:
    """Some documents that were never changed, and some that were."""
    never = tampering.documents(account_id, versions={"lte": 1}, count=_EACH)
    return never, tampering.documents(account_id, versions={"gte": 2}, count=_EACH)


def _damage(tampering: Tampering, gone: Sequence[Source], old: Sequence[Source]) -> list[uuid.UUID]:
    of_no_task = [numbered(document, new_id(), 1) for document in gone]
    tampering.delete(gone)
    tampering.make_old(old)
    tampering.add(of_no_task)
    return [uuid.UUID(document["id"]) for document in (*gone, *old, *of_no_task)]


def _is_right(stage: Stage, damaged: Sequence[uuid.UUID]) -> bool:
    """Whether the index has each of these as PostgreSQL had it a moment before, or newer."""
    with stage.eyes.session() as session:
        live: dict[uuid.UUID, int] = dict(session.execute(_LIVE, [list(damaged)]).fetchall())
    index = stage.eyes.index() or {}
    return all(_agrees(live.get(task_id), index.get(task_id)) for task_id in damaged)


def _agrees(live_version: int | None, found: IndexedTask | None) -> bool:
    if live_version is None:
        return found is None or found.deleted
    return found is not None and found.version >= live_version


CASES = (
    case(
        "index-drifted",
        "documents of the index deleted, made old, and of no task",
        damage_index,
        felt=Felt.MARKED,
        checks=(searches_answered(1.0, at_most=2.0), writes_unharmed),
        needs=NEEDS | {Need.HOST},
    ),
)
