"""One process's clock is an hour off: leases go by the database's clock, so nothing comes of it."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt, Need
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import writes_unharmed
from taskhub_local.faults.judge_jobs import STEPS_KIND
from taskhub_local.faults.load import DEFAULT_MIX, LoadPlan
from taskhub_local.faults.preload import build
from taskhub_local.faults.stage import Stage
from taskhub_local.faults.submissions import submit_job
from taskhub_local.parts.app import App

_HOUR = 3_600
_STEPS, _STEP_SECONDS = 36, 0.5  # longer than a lease
_LONGEST_SECONDS = 120.0
_CATCHING_UP_SECONDS = 5.0
_CALM_SECONDS = 3.0

_TAKEN_AWAY = """
    SELECT count(*) FROM job_attempts JOIN jobs ON jobs.id = job_id
    WHERE account_id = %s AND outcome = 'lost' AND ended_at > to_timestamp(%s)
"""


def skewed(folder: Path, seconds: int) -> Mapping[str, str]:
    """Return the variables that shift a process's clock. Raises LocalError where that cannot be done."""
    variables = {"LD_PRELOAD": str(build("skew", folder)), "FAULT_CLOCK_SKEW_SECONDS": str(seconds)}
    _check(variables, seconds)
    return variables


def _check(variables: Mapping[str, str], seconds: int) -> None:
    """Raise LocalError unless the interpreter that runs the apps sees the shifted clock, and waits as ever."""
    code = (
        "import threading, time; threading.Lock().acquire(timeout=0.1); threading.Event().wait(0.1); print(time.time())"
    )
    began = time.time()
    result = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    if abs(float(result.stdout) - began - seconds) > 60:
        raise LocalError(f"the clock of a child is not off by {seconds} s: it shows {result.stdout.strip()}")


async def skew_clocks(stage: Stage) -> float:
    """The worker's clock an hour ahead, the dispatcher's an hour behind, while a job outlasts its first lease."""
    state = stage.host.platform.options.state
    ahead, behind = skewed(state, _HOUR), skewed(state, -_HOUR)
    async with stage.host.environment(App.WORKER, **ahead), stage.host.environment(App.DISPATCHER, **behind):
        stage.breaks("the worker's clock is an hour ahead, the dispatcher's an hour behind")
        await stage.last(_CATCHING_UP_SECONDS)  # with what waited while they were started again
        since = time.time()
        args = {"steps": _STEPS, "step_seconds": _STEP_SECONDS}
        job_id = await submit_job(stage.client, STEPS_KIND, args, size=_STEPS, patience_seconds=60)

        def done() -> bool:
            with stage.eyes.session() as session:
                row = session.execute("SELECT state FROM jobs WHERE id = %s", [job_id]).fetchone()
            return row == ("succeeded",)

        await stage.until(done, seconds=_LONGEST_SECONDS, what="a job of 18 s has ended")
        with stage.eyes.session() as session:
            (taken,) = session.execute(_TAKEN_AWAY, [stage.eyes.account_id, since]).fetchone() or (0,)
        if taken:
            raise LocalError(f"{taken} jobs were taken from a living worker, because of its clock")
        await stage.ends_here()
        await stage.last(_CALM_SECONDS)
    return since


CASES = (
    case(
        "clock-skew",
        "the worker's clock an hour ahead, the dispatcher's an hour behind",
        skew_clocks,
        felt=Felt.JOBS,
        checks=(writes_unharmed,),
        needs=frozenset({Need.HOST}),
        by_chance=False,
        # The long job has one of two worker processes; nothing but short jobs may want the other one.
        plan=LoadPlan(mix={name: share for name, share in DEFAULT_MIX.items() if name not in {"steps", "import"}}),
    ),
)
