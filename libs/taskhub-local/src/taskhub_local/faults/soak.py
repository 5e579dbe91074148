"""The soak: one long load, and one fault after another, as a seed picks them; one verdict over all of it."""

import random
import time

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Case, Felt
from taskhub_local.faults.cases import CASES
from taskhub_local.faults.checks import answered_within
from taskhub_local.faults.runner import Setting
from taskhub_local.faults.stage import Stage

_BUDGET_SECONDS = 30.0
_LONGEST_PAUSE_SECONDS = 5.0
_SETTLE_SECONDS = 240.0


def soak_case(setting: Setting, *, seconds: float, seed: int) -> Case:
    """Return a case that goes on for so long. The same seed picks the same faults in the same order."""
    possible = [case for case in CASES.values() if case.by_chance and setting.lacks(case) is None]
    pick = random.Random(seed)  # noqa: S311 - a seed must pick the same again

    async def act(stage: Stage) -> float:
        end = time.monotonic() + seconds
        since = time.time()
        while time.monotonic() < end:
            case = pick.choice(possible)
            setting.say(f"[{end - time.monotonic():.0f} s left] {case.name}")
            try:
                await case.act(stage)
            except LocalError as error:
                # The fault did not go as planned on top of the one before: worth knowing, and no broken promise.
                stage.notes.append(f"{case.name}: {error}")
            else:
                stage.notes.append(case.name)
            since = time.time()
            await stage.last(pick.uniform(0, _LONGEST_PAUSE_SECONDS))
        return since

    return Case(
        name="soak",
        breaks=f"faults at random for {seconds:g} s, seed {seed}",
        act=act,
        felt=Felt.WRITES,
        budget_seconds=_BUDGET_SECONDS,
        counted_from="the last fault",
        checks=(answered_within(2.5, at_most=6.0),),
        settle_seconds=_SETTLE_SECONDS,
    )
