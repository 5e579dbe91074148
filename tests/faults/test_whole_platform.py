"""Everything at once: kill -9 of `taskhub up` and of all it started, and a disk without room under PostgreSQL."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from taskhub_local.faults.case import Felt
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.cases.queue import until_queue_is_empty
from taskhub_local.faults.checks import felt_at_all, never_internal
from taskhub_local.faults.host import Host
from taskhub_local.faults.kinds import CREATE_EFFECTS
from taskhub_local.faults.report import Skipped
from taskhub_local.faults.runner import Setting, run_case
from taskhub_local.faults.stage import Stage
from taskhub_local.faults.target import Target

from .conftest import Reports, say
from .up import Up, running_up

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(900)]

_ROOM_MIB = 400
_FULL_SECONDS = 8.0


async def test_everything_killed_and_started_again(tmp_path: Path, reports: Reports, seed: int) -> None:
    with running_up(tmp_path / "state") as up:
        target = Target(up.describe)
        with psycopg.connect(target.database_url) as session:
            session.execute(CREATE_EFFECTS)
        killing = case(
            "everything-killed",
            "kill -9 of every process of the platform, and a new start",
            lambda stage: _kill_and_start(stage, up),
            felt=Felt.WRITES,
            settle_seconds=180.0,
        )
        report = await run_case(killing, Setting(target=target, folder=tmp_path, kinds=True, say=say), seed=seed)
    reports.take(report)


async def _kill_and_start(stage: Stage, up: Up) -> float:
    # The local SQS keeps messages in memory, where the real one is durable. So that none are in it at the kill, the
    # dispatcher stands still and the consumer takes what is left; events then wait in the outbox.
    stage.target.freeze("dispatcher")
    await until_queue_is_empty(stage)
    stage.breaks("kill -9 of `taskhub up` and everything it started")
    count = up.kill_everything()
    stage.notes.append(f"{count} processes killed")
    since = stage.heals("start it again")
    up.start()
    await stage.until(lambda: stage.target.is_ready("api"), seconds=240, what="the API is ready again")
    return since


async def test_a_disk_without_room_under_postgresql(tmp_path: Path, reports: Reports, seed: int) -> None:
    with (
        _small_disk(tmp_path / "platform" / "postgres", reports) as disk,
        Host(tmp_path / "platform", elasticsearch=False, say=say) as host,
    ):
        filling = case(
            "postgres-disk-full",
            "no room on PostgreSQL's disk",
            lambda stage: _fill_and_free(stage, disk),
            felt=Felt.WRITES,
            checks=(felt_at_all, never_internal),
        )
        setting = Setting(target=host.target, folder=tmp_path, kinds=True, host=host, say=say)
        report = await run_case(filling, setting, seed=seed)
    reports.take(report)


async def _fill_and_free(stage: Stage, disk: Path) -> float:
    ballast = disk / "ballast"
    stage.breaks(f"fill PostgreSQL's disk for {_FULL_SECONDS:g} s")
    try:
        with ballast.open("wb", buffering=0) as file:
            _write_until_full(file.fileno())
        await stage.last(_FULL_SECONDS)
    finally:
        ballast.unlink()
    return stage.heals("there is room again")


def _write_until_full(file: int) -> None:
    for block in (bytes(1 << 20), bytes(1 << 12)):
        try:
            while True:
                os.write(file, block)
        except OSError:
            continue


@contextmanager
def _small_disk(folder: Path, reports: Reports) -> Iterator[Path]:
    """Mount a small file system of its own on the folder. Skips where that is not allowed."""
    folder.mkdir(parents=True)
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={_ROOM_MIB}m,mode=0755", "tmpfs", str(folder)]
    result = None if mount is None else subprocess.run(command, capture_output=True, text=True, check=False)
    if result is None or result.returncode != 0:
        why = "there is no mount(8)" if result is None else f"mounting is not allowed ({result.stderr.strip()})"
        reports.skipped.append(Skipped("postgres-disk-full", why))
        pytest.skip(why)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
