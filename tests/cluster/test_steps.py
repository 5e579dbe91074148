"""Steps run after what they need, side by side in two lanes, and stop at the first failure."""

import threading
from collections.abc import Callable

import pytest
from tests.e2e.cluster.shell import ClusterError
from tests.e2e.cluster.steps import Lane, Step, run_steps


class Made:
    """Remembers what was made, in which order."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def step(self, name: str, *, lane: Lane = Lane.PACK, needs: tuple[str, ...] = (), done: bool = False) -> Step:
        """A step that notes its name."""
        return Step(name, lambda: self.names.append(name), lambda: done, lane, needs)


def test_a_step_waits_for_what_it_needs_in_the_other_lane() -> None:
    made = Made()
    run_steps(
        [
            made.step("image", needs=("program",)),
            made.step("program", lane=Lane.COMPILE),
            made.step("node", needs=("image",)),
        ]
    )
    assert made.names == ["program", "image", "node"]


def test_what_is_done_is_not_done_again_and_nobody_waits_for_it() -> None:
    made = Made()
    run_steps([made.step("program", lane=Lane.COMPILE, done=True), made.step("image", needs=("program",))])
    assert made.names == ["image"]


def test_the_lanes_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=30)
    steps = [Step(lane, meeting.wait, lambda: False, lane) for lane in Lane]
    run_steps(steps)  # each waits for the other


def test_after_a_failure_no_further_step_starts_and_the_first_failure_is_raised() -> None:
    made = Made()

    def fail() -> None:
        raise ClusterError("no space left on the disk")

    failing = Step("base", fail, lambda: False)
    with pytest.raises(ClusterError, match="no space left"):
        run_steps([failing, made.step("image", needs=("base",)), made.step("other")])
    assert made.names == []


def test_steps_that_wait_for_each_other_are_named_instead_of_waiting_for_ever() -> None:
    never: Callable[[], bool] = lambda: False  # noqa: E731
    steps = [Step("hen", never, never, needs=("egg",)), Step("egg", never, never, needs=("hen",))]
    with pytest.raises(ClusterError, match="wait for each other"):
        run_steps(steps)


def test_a_lane_between_two_steps_is_not_taken_for_one_that_waits_for_ever() -> None:
    for _ in range(200):
        made = Made()
        run_steps(
            [
                made.step("first", lane=Lane.COMPILE),
                made.step("second", lane=Lane.COMPILE),
                made.step("image", needs=("second",)),
            ]
        )
        assert made.names == ["first", "second", "image"]
