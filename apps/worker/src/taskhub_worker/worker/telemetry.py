"""Metrics of many processes behind one port: each child writes files, the parent adds them up at a scrape."""

import os
import re
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_LIVE_GAUGE = re.compile(r"gauge_live\w*_(\d+)\.db")


def collector(folder: Path) -> CollectorRegistry:
    """A registry that sums up the files of all processes, dead ones' counters included.

    The parent's start, memory and descriptors are in it, too: a restart shows as a new start.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    return registry


def forget_dead(folder: Path) -> None:
    """Removes the gauges of processes that are gone: a killed child cannot do it itself."""
    for path in folder.glob("gauge_live*.db"):
        match = _LIVE_GAUGE.fullmatch(path.name)
        if match is not None and not _alive(int(match[1])):
            mark_process_dead(int(match[1]), path=str(folder))  # type: ignore[no-untyped-call]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
