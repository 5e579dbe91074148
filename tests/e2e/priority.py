"""The load's own share of the processors: a driver that waits for its turn would measure itself, not the cluster."""

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

_POLICY = os.SCHED_RR | os.SCHED_RESET_ON_FORK  # the second: programs that the driver starts are not preferred
_THREADS = 8


def prefer_thread() -> None:
    """Run this thread whenever it has something to do (real time, sched(7)); where that is not allowed, as before.

    Niceness is not enough: beside a busy cluster a process that slept nearly always, and was as nice as could be, got
    its turn up to half a second late.
    """
    with suppress(PermissionError):  # only root may
        os.sched_setscheduler(0, _POLICY, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))


@contextmanager
def preferred() -> Iterator[None]:
    """Prefer this thread within the block."""
    own = os.sched_getscheduler(0)
    parameter = os.sched_getparam(0)
    prefer_thread()
    try:
        yield
    finally:
        with suppress(PermissionError):
            os.sched_setscheduler(0, own, parameter)


def prefer_helpers() -> None:
    """Prefer the running event loop's `to_thread`, too: what holds the interpreter's lock holds us up."""
    asyncio.get_running_loop().set_default_executor(
        ThreadPoolExecutor(_THREADS, thread_name_prefix="driver", initializer=prefer_thread)
    )
