"""The driver prefers itself while it measures, and gives that up again."""

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from taskhub_local.faults.priority import preferred

pytestmark = pytest.mark.asyncio

_RESETS = os.SCHED_RR | os.SCHED_RESET_ON_FORK
_TELL = "import os; print(os.sched_getscheduler(0))"
_only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may")


@_only_root
async def test_every_thread_is_preferred_and_then_no_more() -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    threads = (threading.get_native_id(), other.native_id or 0)
    before = [os.sched_getscheduler(thread) for thread in threads]
    try:
        with preferred():
            assert [os.sched_getscheduler(thread) for thread in threads] == [_RESETS, _RESETS]
        assert [os.sched_getscheduler(thread) for thread in threads] == before
    finally:
        done.set()
        other.join()


@_only_root
async def test_a_thread_that_ended_meanwhile_is_no_error() -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    with preferred():
        done.set()
        other.join()


@_only_root
async def test_programs_that_the_driver_starts_are_not_preferred() -> None:
    with preferred():
        told = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", _TELL], capture_output=True, text=True, check=True
        )
    assert int(told.stdout) == os.SCHED_OTHER


@_only_root
async def test_the_helpers_of_the_event_loop_are_preferred() -> None:
    assert await asyncio.to_thread(os.sched_getscheduler, 0) == os.SCHED_OTHER
    with preferred():
        assert await asyncio.to_thread(os.sched_getscheduler, 0) == _RESETS


async def test_whoever_may_not_goes_on_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    before = os.sched_getscheduler(0)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with preferred():
        assert await asyncio.to_thread(os.sched_getscheduler, 0) == before
    assert os.sched_getscheduler(0) == before
