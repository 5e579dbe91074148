"""A job that takes 20 s, seen in the middle of its work."""

from dataclasses import dataclass

from taskhub_local.faults.judge_jobs import STEPS_KIND
from taskhub_local.faults.submissions import submit_job
from tests.e2e.scene import Scene

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """A job in the hands of a worker."""

    job_id: str
    attempt: int
    pod: str


async def start_long_job(scene: Scene, *, steps: int = 80, step_seconds: float = 0.25) -> Running:
    """Submit a job of many steps, and wait until a worker is in the middle of them."""
    args = {"steps": steps, "step_seconds": step_seconds}
    job_id = await submit_job(scene.stage.client, STEPS_KIND, args, size=steps, patience_seconds=_PATIENCE_SECONDS)

    def in_the_middle() -> Running | None:
        with scene.stage.eyes.session() as session:
            query = "SELECT attempt, worker, checkpoint IS NOT NULL FROM jobs WHERE id = %s AND state = 'running'"
            row = session.execute(query, [job_id]).fetchone()
        return Running(str(job_id), row[0], row[1].rpartition(":")[0]) if row is not None and row[2] else None

    return await scene.until(in_the_middle, "a long job is under way", seconds=_PATIENCE_SECONDS)


async def until_elsewhere(scene: Scene, former: Running) -> None:
    """Wait until the job is in another pod's hands, and mark that moment."""

    def elsewhere() -> str | None:
        with scene.stage.eyes.session() as session:
            query = "SELECT attempt, state, worker FROM jobs WHERE id = %s"
            row = session.execute(query, [former.job_id]).fetchone()
        moved = row is not None and row[0] > former.attempt and row[1] in {"running", "succeeded"}
        return str(row[2]) if moved and row is not None else None

    worker = await scene.until(elsewhere, "the job runs elsewhere")
    scene.stage.recovered(f"the job runs again, in {worker}")
