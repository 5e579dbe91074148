"""What the tests of routes share: job kinds of their own, and a worker's hand on jobs."""

import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psutil
import pytest
from pydantic import Field
from sqlalchemy import Engine

from taskhub_core.jobs import dispatch, lease
from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.lease import Completion, Fence
from taskhub_core.jobs.registry import JobArgs, NoArgs, job_kind, registry
from taskhub_local.parts.base import Part


class AddArgs(JobArgs):
    """Numbers to add, and a note that is kept as it is."""

    numbers: list[int] = Field(max_length=1_000)
    note: str = "none"
    more: dict[str, Any] = Field(default_factory=dict)


@job_kind("test.add", args=AddArgs)
def add(_job: JobContext, args: AddArgs) -> dict[str, Any]:
    """Adds numbers."""
    return {"sum": sum(args.numbers)}


@job_kind("test.upkeep", args=NoArgs, submitted_by="operator")
def upkeep(_job: JobContext, _args: NoArgs) -> None:
    """Keeps things up."""


@job_kind("test.inner", args=NoArgs, submitted_by="system")
def inner(_job: JobContext, _args: NoArgs) -> None:
    """Is nobody's business."""


class WorkerHand:
    """Does to jobs what dispatcher and worker do, with their own functions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(self, job_id: uuid.UUID | str) -> Fence:
        """The job runs."""
        with self._engine.begin() as connection:
            dispatch.promote_due(connection, limit=1_000)
            dispatch.mark_for_dispatch(connection, registry, window=100_000)
        with self._engine.begin() as connection:
            (claimed,) = lease.claim(connection, [uuid.UUID(str(job_id))], worker="test", lease_seconds=60)
        return claimed.fence

    def report(self, fence: Fence, progress: dict[str, Any]) -> None:
        """The job tells how far it is."""
        with self._engine.begin() as connection:
            assert lease.save_step(connection, fence, checkpoint=None, progress=progress, lease_seconds=60)

    def complete(self, fence: Fence, result: Any = None) -> None:
        """The job succeeds."""
        with self._engine.begin() as connection:
            assert lease.complete(connection, [Completion(fence, result)])

    def fail(self, fence: Fence, *, permanent: bool = True) -> None:
        """The attempt fails."""
        error = {"type": "PermanentError", "message": "the test says so", "permanent": permanent}
        with self._engine.begin() as connection:
            assert lease.fail(connection, fence, error=error, permanent=permanent, delay_seconds=0)


@pytest.fixture
def worker_hand(engine: Engine) -> WorkerHand:
    """A worker that does what the test says."""
    return WorkerHand(engine)


@contextmanager
def _frozen(part: Part) -> Iterator[None]:
    assert part.pid is not None
    server = psutil.Process(part.pid)
    processes = [server, *server.children(recursive=True)]  # PostgreSQL: every backend
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            if process.is_running():
                process.send_signal(signal.SIGCONT)


@pytest.fixture
def frozen() -> Callable[[Part], AbstractContextManager[None]]:
    """Freezes a server (`with frozen(own_postgres):`): it holds its connections and answers nothing."""
    return _frozen
