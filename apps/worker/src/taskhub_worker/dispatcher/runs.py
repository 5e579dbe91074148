"""How many jobs of a kind share a message: what jobs of that kind took lately decides.

A message costs more than a short job, so under a backlog short jobs travel several to a message and a worker does them
one after the other. Each is still claimed and completed on its own, and none waits long: a worker that meets a long one
lets go of those behind it.
"""

import time
from collections.abc import Mapping

from sqlalchemy import Connection

from taskhub_core.jobs.dispatch import usual_seconds
from taskhub_core.jobs.registry import Registry

_BACKLOG = 8
"""Fewer jobs than this at a time gain nothing, and are not worth a look."""
_LOOK_EVERY_SECONDS = 2.0
_MOST = 32


class RunSizes:
    """Looks now and then, and only while there is a backlog."""

    def __init__(self, registry: Registry, *, run_seconds: float) -> None:
        self._registry = registry
        self._run_seconds = run_seconds
        self._sizes: dict[str, int] = {}
        self._looked = float("-inf")

    def now(self, connection: Connection, jobs: int) -> Mapping[str, int]:
        """The sizes by kind, for so many jobs to send. Kinds that are missing travel alone."""
        if jobs >= _BACKLOG and time.monotonic() - self._looked >= _LOOK_EVERY_SECONDS:
            self._looked = time.monotonic()
            usual = usual_seconds(connection)
            # Where a kind may only run so often at a time, jobs in one message would take each other's places.
            free = [kind.name for kind in self._registry.all() if kind.concurrency_limit is None]
            self._sizes = {kind: self._size(usual[kind]) for kind in free if kind in usual}
        return self._sizes

    def _size(self, seconds: float) -> int:
        return max(1, min(_MOST, int(self._run_seconds / max(seconds, 0.001))))
