"""Runs steps that need each other, in two lanes at once: one compiles, one fetches and packs."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.e2e.cluster.progress import elapsed, say
from tests.e2e.cluster.shell import ClusterError


class Lane(StrEnum):
    """One step of a lane runs at a time: a compilation fills the processors by itself."""

    COMPILE = "compile"
    PACK = "pack"


@dataclass(frozen=True)
class Step:
    """Something to make: what it needs first, how to see that it is there, and about how long it takes (two cores)."""

    name: str
    run: Callable[[], object]
    is_done: Callable[[], bool]
    lane: Lane = Lane.PACK
    needs: tuple[str, ...] = ()
    seconds: float = 30


def run_steps(steps: Sequence[Step]) -> None:
    """Run what is not done, in the order of the list as far as the needs allow.

    After a failure no further step starts; those under way end first. Raises ClusterError with the first failure.
    """
    missing = [step for step in steps if not step.is_done()]
    if missing:
        names = ", ".join(step.name for step in missing)
        say(f"to make: {names} (about {_minutes(_remaining(missing))})")
        _Run(missing).run()


class _Run:
    def __init__(self, steps: Sequence[Step]) -> None:
        self._waiting = list(steps)
        self._unfinished = {step.name for step in steps}
        self._failure: Exception | None = None
        self._changed = threading.Condition()

    def run(self) -> None:
        # Daemons, so that Ctrl-C ends the process; the next run throws away what a step was writing.
        lanes = [threading.Thread(target=self._work, args=(lane,), daemon=True) for lane in Lane]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            while lane.is_alive():
                lane.join(timeout=0.5)
        if self._failure is not None:
            raise self._failure

    def _work(self, lane: Lane) -> None:
        while (step := self._next(lane)) is not None:
            started = elapsed()
            say(f"{step.name} ...")
            failure: Exception | None = None
            try:
                step.run()
            except Exception as error:  # run() raises it again, in the thread that asked
                failure = error
            with self._changed:
                self._failure = self._failure or failure
                self._unfinished.discard(step.name)
                left = _remaining(self._waiting)
                self._changed.notify_all()
            if failure is None:
                say(f"{step.name} took {elapsed() - started:.0f} s; about {_minutes(left)} left")
            else:
                say(f"{step.name} failed; what is under way ends first")

    def _next(self, lane: Lane) -> Step | None:
        """The next step of this lane; waits for its needs. None when there is nothing more to do."""
        with self._changed:
            while self._failure is None:
                mine = [step for step in self._waiting if step.lane is lane]
                if not mine:
                    return None
                for step in mine:
                    if self._unfinished.isdisjoint(step.needs):
                        self._waiting.remove(step)
                        return step
                if len(self._unfinished) == len(self._waiting) and not self._can_go_on():
                    self._failure = ClusterError(f"these steps wait for each other: {', '.join(self._unfinished)}")
                    self._changed.notify_all()
                    return None
                self._changed.wait()
        return None

    def _can_go_on(self) -> bool:
        """Whether a step of some lane could start: that lane may be just about to."""
        return any(self._unfinished.isdisjoint(step.needs) for step in self._waiting)


def _remaining(steps: Sequence[Step]) -> float:
    return max(sum(step.seconds for step in steps if step.lane is lane) for lane in Lane)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
