"""The driver prefers itself while it measures, and gives that up again."""

import asyncio
import os
import subprocess
import sys

import pytest
from tests.e2e.priority import prefer_helpers, preferred

_RESETS = os.SCHED_RR | os.SCHED_RESET_ON_FORK
_TELL = "import os; print(os.sched_getscheduler(0))"
_only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may")


@_only_root
def test_the_thread_is_preferred_and_then_no_more() -> None:
    before = os.sched_getscheduler(0)
    with preferred():
        assert os.sched_getscheduler(0) == _RESETS
    assert os.sched_getscheduler(0) == before


@_only_root
def test_programs_that_the_driver_starts_are_not_preferred() -> None:
    with preferred():
        told = subprocess.run([sys.executable, "-c", _TELL], capture_output=True, text=True, check=True)
    assert int(told.stdout) == os.SCHED_OTHER


@_only_root
@pytest.mark.asyncio
async def test_the_helpers_of_the_event_loop_are_preferred() -> None:
    assert await asyncio.to_thread(os.sched_getscheduler, 0) == os.SCHED_OTHER
    prefer_helpers()
    assert await asyncio.to_thread(os.sched_getscheduler, 0) == _RESETS


@pytest.mark.asyncio
async def test_whoever_may_not_goes_on_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    before = os.sched_getscheduler(0)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with preferred():
        prefer_helpers()
        assert await asyncio.to_thread(os.sched_getscheduler, 0) == before
    assert os.sched_getscheduler(0) == before
