"""Workers die and stand still in the middle of a job (failure mode 2)."""

import signal
import uuid
from dataclasses import dataclass

import psutil

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt, Need
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import late_writes_fenced, writes_unharmed
from taskhub_local.faults.judge_jobs import DEADLY_KIND, STEPS_KIND
from taskhub_local.faults.stage import Stage
from taskhub_local.faults.submissions import submit_import, submit_job
from taskhub_local.faults.target import freeze
from taskhub_local.parts.app import App

_WORKER = App.WORKER.value
_PATIENCE_SECONDS = 60.0
_LONGEST_WAIT_SECONDS = 60.0
_LARGE_IMPORT = 6_000


@dataclass(frozen=True, slots=True)
class _Running:
    """A job in the hands of a process."""

    job_id: uuid.UUID
    attempt: int
    pid: int


async def _long_job(stage: Stage, *, steps: int, step_seconds: float) -> _Running:
    """Submit a job of many steps (or else a large import), and wait until it is in the middle of them."""
    if stage.kinds:
        args = {"steps": steps, "step_seconds": step_seconds}
        job_id = await submit_job(stage.client, STEPS_KIND, args, size=steps, patience_seconds=_PATIENCE_SECONDS)
    else:
        submitted = await submit_import(stage.client, _LARGE_IMPORT, patience_seconds=_PATIENCE_SECONDS)
        if submitted is None:
            raise LocalError("the file of a large import was not taken")
        job_id = submitted

    def in_the_middle() -> _Running | None:
        with stage.eyes.session() as session:
            query = "SELECT attempt, worker, checkpoint IS NOT NULL FROM jobs WHERE id = %s AND state = 'running'"
            row = session.execute(query, [job_id]).fetchone()
        return _Running(job_id, row[0], int(row[1].rpartition(":")[2])) if row is not None and row[2] else None

    return await stage.until(in_the_middle, seconds=_LONGEST_WAIT_SECONDS, what="a long job is under way")


async def _runs_elsewhere(stage: Stage, former: _Running) -> None:
    """Wait until the job is in other hands (or done already), and mark that moment."""

    def elsewhere() -> bool:
        with stage.eyes.session() as session:
            row = session.execute("SELECT attempt, state FROM jobs WHERE id = %s", [former.job_id]).fetchone()
        return row is not None and row[0] > former.attempt and row[1] in {"running", "succeeded"}

    await stage.until(elsewhere, seconds=_LONGEST_WAIT_SECONDS, what="the job runs elsewhere")
    stage.recovered(f"job {former.job_id} runs again, as attempt {former.attempt + 1} or later")


async def kill_child(stage: Stage) -> float:
    """kill -9 of the process that runs a job."""
    running = await _long_job(stage, steps=40, step_seconds=0.25)
    since = stage.breaks(f"kill -9 of worker process {running.pid} in the middle of job {running.job_id}")
    psutil.Process(running.pid).kill()
    await _runs_elsewhere(stage, running)
    return since


async def kill_worker(stage: Stage) -> float:
    """kill -9 of the worker's parent process; its children end with it."""
    running = await _long_job(stage, steps=40, step_seconds=0.25)
    since = stage.breaks(f"kill -9 of the worker in the middle of job {running.job_id}")
    stage.target.kill(_WORKER)
    await _runs_elsewhere(stage, running)
    return since


async def freeze_child(stage: Stage) -> float:
    """SIGSTOP of the process that runs a job, past its lease; another process takes over; then SIGCONT."""
    running = await _long_job(stage, steps=60, step_seconds=0.25)
    since = stage.breaks(f"SIGSTOP of worker process {running.pid} in the middle of job {running.job_id}")
    frozen = freeze(psutil.Process(running.pid))
    try:
        await _runs_elsewhere(stage, running)
    finally:
        frozen.thaw()
    stage.heals("SIGCONT: the late process wakes up beside the new one")
    return since


async def freeze_worker(stage: Stage) -> float:
    """SIGSTOP of a whole worker past its leases, with a second one beside it; then SIGCONT."""
    async with stage.host.another(App.WORKER):
        running = await _long_job(stage, steps=60, step_seconds=0.25)
        name = next((part for part in (_WORKER, f"{_WORKER}-2") if _runs_in(stage, part, running.pid)), None)
        if name is None:
            raise LocalError(f"process {running.pid} belongs to no worker")
        since = stage.breaks(f"SIGSTOP of {name} with all its processes, in the middle of job {running.job_id}")
        frozen = stage.target.freeze(name)
        try:
            await _runs_elsewhere(stage, running)
        finally:
            frozen.thaw()
        stage.heals(f"SIGCONT of {name}: its late processes wake up beside the new ones")
        await stage.last(5)  # both at once, and then the second one leaves in good order
    return since


def _runs_in(stage: Stage, part: str, pid: int) -> bool:
    return pid in {child.pid for child in stage.target.children(part)}


async def deadly_job(stage: Stage) -> float:
    """A job that kills each process that runs it: it runs out of attempts, and costs the others nothing but time."""
    since = stage.breaks("submit a job that kills its process")
    job_id = await submit_job(stage.client, DEADLY_KIND, {}, patience_seconds=_PATIENCE_SECONDS)

    def dead() -> bool:
        with stage.eyes.session() as session:
            return session.execute("SELECT state FROM jobs WHERE id = %s", [job_id]).fetchone() == ("dead",)

    await stage.until(dead, seconds=_LONGEST_WAIT_SECONDS, what="the deadly job is out of attempts")
    stage.recovered("the deadly job is dead, and can be inspected")
    return since


CASES = (
    case(
        "worker-child-kill",
        f"{signal.SIGKILL.name} of the process in the middle of a job",
        kill_child,
        felt=Felt.MARKED,
        checks=(writes_unharmed,),
        quick=True,
    ),
    case(
        "worker-kill",
        "kill -9 of a worker in the middle of a job",
        kill_worker,
        felt=Felt.MARKED,
        checks=(writes_unharmed,),
    ),
    case(
        "worker-freeze",
        "SIGSTOP of the process in the middle of a job, past its lease, then SIGCONT",
        freeze_child,
        felt=Felt.MARKED,
        checks=(writes_unharmed, late_writes_fenced),
        quick=True,
    ),
    case(
        "worker-freeze-whole",
        "SIGSTOP of one of two workers, past its leases, then SIGCONT",
        freeze_worker,
        felt=Felt.MARKED,
        checks=(writes_unharmed, late_writes_fenced),
        needs=frozenset({Need.HOST}),
    ),
    case(
        "job-deadly",
        "a job that kills every process that runs it",
        deadly_job,
        felt=Felt.MARKED,
        checks=(writes_unharmed,),
        needs=frozenset({Need.KINDS}),
    ),
)
