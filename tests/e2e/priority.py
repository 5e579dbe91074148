"""The load's own share of the processors: a driver that waits for its turn would measure itself, not the cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NICENESS = -10
_AUTOGROUP = Path("/proc/self/autogroup")


@contextmanager
def preferred() -> Iterator[None]:
    """Prefer this process, and with it its session, within the block; where that is not allowed, nothing changes.

    The cluster's containers count as ten processes (`cluster/engine.py`), and all of this session as one: Linux shares
    the processors out to sessions first (autogroup, sched(7)), and niceness counts only within one.
    """
    own = os.getpriority(os.PRIO_PROCESS, 0)
    group = _autogroup_niceness()
    _prefer(_NICENESS, None if group is None else _NICENESS)
    try:
        yield
    finally:
        _prefer(own, group)


def _autogroup_niceness() -> int | None:
    """The niceness of this session's group, as in `/autogroup-42 nice 0`; None where the kernel has no such groups."""
    try:
        return int(_AUTOGROUP.read_text().rpartition(" ")[2])
    except (OSError, ValueError):
        return None


def _prefer(niceness: int, group: int | None) -> None:
    with suppress(OSError):  # only root may
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
        if group is not None:
            _AUTOGROUP.write_text(str(group))
