"""PostgreSQL's data is destroyed, and restored to a point in time: what was acknowledged before it is all there.

The restore is the one that docs/guides/aws.md describes for RDS, on the embedded PostgreSQL: stop everything, bring
the data back at an earlier time, bring it to the newest schema, and have `taskhub after-restore` do the rest.
"""

import asyncio
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import felt_at_all
from taskhub_local.faults.host import Host
from taskhub_local.faults.judge_views import ANNOUNCED_KINDS
from taskhub_local.faults.ledger import Outcome
from taskhub_local.faults.rewind import Rewind
from taskhub_local.faults.runner import Setting, run_case
from taskhub_local.faults.stage import Stage
from taskhub_local.parts.app import App
from taskhub_local.parts.postgres_backup import PostgresBackup

from .conftest import Reports, say

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(900)]

_POSTGRES = "postgres"
_WRITING_SECONDS = 5.0
_ON_THEIR_WAY_SECONDS = 10.0
"""An event that left for SQS longer ago than this is in the feed, or was lost otherwise than by the restore."""

# What neither the feed has nor the outbox: the message was in SQS at the point, or on its way there.
_ON_THEIR_WAY = """
    WITH told AS (
        SELECT subject_id, count(*) AS events FROM (
            SELECT subject_id FROM activity
            UNION ALL SELECT (message ->> 'subject_id')::uuid FROM outbox
        ) AS either GROUP BY subject_id
    ), subjects AS (
        SELECT id, version AS events, updated_at AS at FROM tasks WHERE account_id = %(account)s
        UNION ALL
        SELECT id, 1, finished_at FROM jobs
        WHERE account_id = %(account)s AND kind = ANY (%(announced)s) AND finished_at IS NOT NULL
    )
    SELECT subjects.id, subjects.events - coalesce(told.events, 0), at
    FROM subjects LEFT JOIN told ON told.subject_id = subjects.id
    WHERE subjects.events > coalesce(told.events, 0)
"""


async def test_everything_acknowledged_before_the_point_is_there_and_nothing_after_it(
    tmp_path: Path, reports: Reports, seed: int
) -> None:
    host = Host(tmp_path / "platform", say=say)
    backup = PostgresBackup(host.platform.postgres, tmp_path / "backup")
    with host:
        restoring = case(
            "postgres-restore",
            "PostgreSQL's data destroyed, and restored to a point in time",
            lambda stage: _destroy_and_restore(stage, backup),
            felt=Felt.MARKED,
            checks=(felt_at_all,),
            settle_seconds=180.0,
        )
        setting = Setting(target=host.target, folder=tmp_path, kinds=True, host=host, say=say)
        report = await run_case(restoring, setting, seed=seed)
    reports.take(report)


async def _destroy_and_restore(stage: Stage, backup: PostgresBackup) -> float:
    stage.say("take a backup")
    await asyncio.to_thread(backup.take)
    await stage.last(_WRITING_SECONDS)
    arrived_before = stage.eyes.arrived()
    point = _now(stage)
    await stage.last(_WRITING_SECONDS)
    position = backup.position()
    await stage.until(lambda: backup.reaches(position), seconds=60, what="the archive reaches beyond the point")
    since = await _destroy(stage)
    await _stop_apps(stage)
    stage.eyes.undone = stage.eyes.arrived() - arrived_before
    await _restore(stage, backup, point)
    stage.notes.append(f"PostgreSQL was back {time.time() - since:.1f} s after the loss")
    stage.eyes.on_their_way = _on_their_way(stage, point)
    stage.notes.append(f"{sum(stage.eyes.on_their_way.values())} events of the last second are not in the feed")
    await _after_restore(stage, point)
    stage.recovered("the index equals the tables")
    return since


def _now(stage: Stage) -> datetime:
    """PostgreSQL's own time, by which it stamps commits."""
    with stage.eyes.session() as session:
        (now,) = session.execute("SELECT clock_timestamp()").fetchone() or (datetime.now(UTC),)
    assert isinstance(now, datetime)
    return now


async def _destroy(stage: Stage) -> float:
    postgres = stage.host.platform.postgres
    stage.host.platform.keepers[_POSTGRES].hold()
    since = stage.breaks("kill -9 of PostgreSQL, and its data is destroyed")
    former = stage.target.kill(_POSTGRES)
    await stage.until(lambda: not former.is_running(), seconds=10, what="PostgreSQL is gone")
    await asyncio.to_thread(shutil.rmtree, postgres.data)
    return since


async def _stop_apps(stage: Stage) -> None:
    """Stop every process of TaskHub: none that knows of what is undone may meet what was restored."""
    stage.say("stop TaskHub")
    for app in App:
        stage.host.platform.keepers[app.value].hold()
        stage.target.kill(app.value, signal.SIGTERM)
    parts = [stage.host.platform.part(app.value) for app in App]
    await stage.until(lambda: all(part.exit_code is not None for part in parts), seconds=60, what="TaskHub has stopped")


async def _restore(stage: Stage, backup: PostgresBackup, point: datetime) -> None:
    platform = stage.host.platform
    stage.say(f"restore PostgreSQL as it was {time.time() - point.timestamp():.0f} s ago")
    await asyncio.to_thread(backup.restore, point)
    platform.keepers[_POSTGRES].resume()
    await stage.until(
        lambda: stage.target.is_ready(_POSTGRES) and _now(stage), seconds=120, what="PostgreSQL takes writes"
    )
    await asyncio.to_thread(platform.migrate)


def _on_their_way(stage: Stage, point: datetime) -> Mapping[uuid.UUID, int]:
    """The events that were in SQS at the point, by subject. Raises LocalError for one that cannot have been."""
    parameters = {"account": stage.eyes.account_id, "announced": list(ANNOUNCED_KINDS)}
    with stage.eyes.session() as session:
        rows = session.execute(_ON_THEIR_WAY, parameters).fetchall()
    old = [row for row in rows if (point - row[2]).total_seconds() > _ON_THEIR_WAY_SECONDS]
    if old:
        raise LocalError(f"the restored feed lacks events that were long in it: {old}")
    return {subject: events for subject, events, _ in rows}


async def _after_restore(stage: Stage, point: datetime) -> None:
    run = stage.target.describe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "taskhub_local", "after-restore", "--to", point.isoformat()),
        *("--api", stage.host.balancer.url, "--operator", run.operator.email),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **run.environment, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{run.operator.password}\n".encode())
    said = ""
    queues = 0
    async for line in process.stdout:
        said = line.decode().strip()
        stage.say(said)
        queues += said.startswith("✓ messages in")
        if queues == 2 and stage.rewind is None:
            _start_apps(stage, point)
    if await process.wait() != 0:
        raise LocalError(f"taskhub after-restore failed: {said}")


def _start_apps(stage: Stage, point: datetime) -> None:
    lost = sum(
        1
        for entry in stage.client.ledger.entries
        if entry.request.operation.writes
        and entry.outcome is Outcome.ACKNOWLEDGED
        and entry.sent_at > point.timestamp()
    )
    stage.notes.append(f"{lost} writes that were acknowledged after the point are undone")
    stage.rewind = Rewind(to=point.timestamp(), resumed=time.time())
    stage.say("start TaskHub")
    for app in App:
        stage.host.platform.keepers[app.value].resume()
