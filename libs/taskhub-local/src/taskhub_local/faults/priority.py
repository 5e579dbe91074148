"""The load's own share of the processors: a driver that waits for its turn would measure itself, not the platform."""

import asyncio
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

_POLICY = os.SCHED_RR | os.SCHED_RESET_ON_FORK  # the second: programs that the driver starts are not preferred
_HELPERS = 8


def prefer(thread: int = 0) -> None:
    """Run this thread whenever it has something to do (real time, sched(7)); where that is not allowed, as before.

    Niceness is not enough: beside a busy cluster a process that slept nearly always, and was as nice as could be, got
    its turn up to half a second late. `thread` is a native id, 0 the calling thread.
    """
    _schedule(thread, _POLICY, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))


@contextmanager
def preferred() -> Iterator[None]:
    """Prefer the threads that this process has now, within the block; the event loop's `to_thread` from now on.

    All of them: one that holds the interpreter's lock holds the others up, and a proxy is part of every request.
    """
    threads = [thread.native_id for thread in threading.enumerate() if thread.native_id is not None]
    before: dict[int, tuple[int, os.sched_param]] = {}
    for thread in threads:
        with suppress(ProcessLookupError):  # it has ended since
            before[thread] = (os.sched_getscheduler(thread), os.sched_getparam(thread))
            prefer(thread)
    asyncio.get_running_loop().set_default_executor(
        ThreadPoolExecutor(_HELPERS, thread_name_prefix="driver", initializer=prefer)
    )
    try:
        yield
    finally:
        for thread, (policy, parameter) in before.items():
            _schedule(thread, policy, parameter)


def _schedule(thread: int, policy: int, parameter: os.sched_param) -> None:
    with suppress(PermissionError, ProcessLookupError):  # only root may; the thread may be gone
        os.sched_setscheduler(thread, policy, parameter)
