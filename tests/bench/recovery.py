"""(d) How long a job is away when its worker is killed with SIGKILL: until it runs again in another one."""

import os
import signal
import time
import uuid
from contextlib import ExitStack

import psutil
import psycopg
from sqlalchemy import create_engine, make_url

from taskhub_core.jobs.registry import registry
from taskhub_core.jobs.submit import NewJob, submit
from tests.bench import jobs
from tests.bench.platform import Servers


def seconds_to_run_again(platform: Servers, *, rounds: int) -> list[float]:
    """From the kill of a worker, children and all, to the commit of the next attempt's claim in another worker.

    All times of the engine are its defaults. The kill comes at another moment of the lease in every round.
    """
    env = platform.environment("bench_recovery", 8)
    url = env["TASKHUB_DATABASE_URL"]
    registry.load(("tests.bench.kinds",))
    account = jobs.account(url)
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    taken = []
    with ExitStack() as stack:
        stack.enter_context(jobs.running_platform(env, platform.logs))
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        for number in range(rounds):
            stack.enter_context(jobs.running_worker(env, platform.logs))
            job = NewJob(account_id=account, kind="bench.hold", args={})
            with engine.begin() as transaction:
                submit(transaction, [job])
            worker = _wait_for_attempt(connection, job.id, 1)
            time.sleep(number * 4.0 / rounds)  # leases are renewed every 4 s
            _kill_with_parent(worker)
            killed = time.monotonic()
            _wait_for_attempt(connection, job.id, 2)
            taken.append(time.monotonic() - killed)
    engine.dispose()
    return taken


def _wait_for_attempt(connection: psycopg.Connection, job_id: uuid.UUID, attempt: int) -> int:
    """Waits for the claim; the process id of its worker process."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        row = connection.execute(
            "SELECT worker FROM jobs WHERE id = %s AND attempt = %s AND started_at IS NOT NULL", (job_id, attempt)
        ).fetchone()
        if row is not None:
            return int(row[0].rpartition(":")[2])
        time.sleep(0.01)
    raise TimeoutError(f"attempt {attempt} did not begin")


def _kill_with_parent(child: int) -> None:
    parent = psutil.Process(child).parent()
    assert parent is not None
    for process in [parent, *parent.children()]:
        os.kill(process.pid, signal.SIGKILL)
