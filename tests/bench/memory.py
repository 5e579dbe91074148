"""(e) Peak memory of every process, after it worked through a load of requests, jobs and events."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from taskhub_local.ports import any_free
from tests.bench import api_cost, jobs, load, servers
from tests.bench.platform import Servers
from tests.bench.servers import Measured

_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Memory:
    """One process, in MiB."""

    process: str
    peak_resident: float
    """The most that was ever resident, what it shares with others included (VmHWM)."""
    share: float
    """What it holds now: its own memory, and its share of what it shares (PSS)."""


def under_load(platform: Servers, elasticsearch_url: str | None, *, requests: int, waiting_jobs: int) -> list[Memory]:
    """Runs API, dispatcher, worker and consumer under load until all is done, and reads what they took."""
    port = any_free()
    env = {**platform.environment("bench_memory", 9), "TASKHUB_LOG_LEVEL": "warning"}
    if elasticsearch_url is not None:
        env |= {"TASKHUB_ELASTICSEARCH_URL": elasticsearch_url, "TASKHUB_SEARCH_ALIAS": "bench-memory"}
    url = env["TASKHUB_DATABASE_URL"]
    env, token = api_cost.with_account(env, port=port)
    with ExitStack() as stack:
        programs = {}
        for name, more in (("api", ["serve"]), ("dispatcher", []), ("worker", []), ("sqs-consumer", [])):
            command = [str(servers.BIN / f"taskhub-{name}"), *more]
            programs[name] = stack.enter_context(servers.running(command, env=env, log=platform.logs / f"{name}.log"))
        servers.wait_for_http(f"http://127.0.0.1:{port}/livez", programs["api"])
        jobs.submit_many(url, jobs.account(url), waiting_jobs, "bench.noop")
        task_id = api_cost.create(port, token)
        for request in api_cost.operations(token, task_id).values():
            load.run(port, request, count=requests, connections=_CONNECTIONS)
        with psycopg.connect(url, autocommit=True) as connection:
            _wait_until_done(connection)
        return [memory for name, program in programs.items() for memory in _memory(name, program)]


def _wait_until_done(connection: psycopg.Connection) -> None:
    end = time.monotonic() + 300
    query = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM jobs WHERE finished_at IS NULL)"
    while connection.execute(query).fetchone() != (0,):
        if time.monotonic() > end:
            raise TimeoutError("the load was not worked off")
        time.sleep(0.2)


def _memory(name: str, program: Measured) -> Iterator[Memory]:
    root = psutil.Process(program.process.pid)
    yield Memory(name, *_of(root.pid))
    for number, child in enumerate(root.children(recursive=True), 1):
        yield Memory(f"{name}, child {number}", *_of(child.pid))


def _of(pid: int) -> tuple[float, float]:
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    share = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert peak is not None
    assert share is not None
    return int(peak[1]) / 1024, int(share[1]) / 1024
