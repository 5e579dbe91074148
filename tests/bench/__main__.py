"""`make bench`: runs every benchmark against real servers on this machine and prints one table a question."""

import argparse
import os
import statistics

from rich.console import Console
from rich.table import Table

from taskhub_local.parts.elasticsearch import why_unavailable
from taskhub_local.ports import any_free
from tests.bench import api_cost, index, jobs, memory, profile, recovery, scale
from tests.bench.api_cost import Cost
from tests.bench.jobs import Rate
from tests.bench.platform import Servers, elasticsearch, servers
from tests.bench.scale import Shape

console = Console()
_PARTS = ["jobs", "latency", "api", "index", "recovery", "memory", "scale"]


def _job_rates(platform: Servers, *, count: int, rounds: int) -> None:
    runs = {
        "taskhub": lambda: jobs.taskhub(platform, count=count),
        "taskhub one by one": lambda: jobs.taskhub(platform, count=count, kind="bench.single"),
        "celery": lambda: jobs.plain_celery(platform, count=count, commits=False),
        "celery commits": lambda: jobs.plain_celery(platform, count=count, commits=True),
        "procrastinate": lambda: jobs.procrastinate(platform, count=count // 4),
    }
    taken: dict[str, list[Rate]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in runs.items():  # in turn, so that a busy minute hits them all
            taken[name].append(run())
            console.print(f"  round {number + 1}: {taken[name][-1].peer}: {taken[name][-1].per_second:,.0f} jobs/s")
    medians = [jobs.median(rates) for rates in taken.values()]
    table = Table(
        "peer", "jobs/s", "batched is", "one by one is", "memory, MiB", title=f"Jobs end to end, {count:,} waiting"
    )
    for rate in medians:
        batched, single = (medians[ours].per_second / rate.per_second for ours in (0, 1))
        table.add_row(
            rate.peer, f"{rate.per_second:,.0f}", f"{batched:.1f}x", f"{single:.1f}x", f"{rate.memory_mib:,.0f}"
        )
    console.print(table)


def _latency(platform: Servers) -> None:
    taken = jobs.lone_job_ms(platform, count=100)
    p95 = statistics.quantiles(taken, n=20)[18]
    console.print(
        f"A lone job, from its commit to the commit of its end: p50 {statistics.median(taken):.1f} ms, p95 {p95:.1f} ms"
    )


def _api(platform: Servers, *, count: int, rounds: int) -> None:
    env = platform.environment("bench_api", 6)
    costs = api_cost.measure(env, port=any_free(), logs=platform.logs, rounds=rounds, count=count)
    by: dict[tuple[str, str], Cost] = {(cost.server, cost.operation): cost for cost in costs}
    table = Table("operation", "TaskHub", "ordinary", "bare", "TaskHub / ordinary", title="Requests per API-CPU-second")
    for operation in dict.fromkeys(cost.operation for cost in costs):
        ours, ordinary, bare = (by[name, operation].per_cpu_second for name in ("taskhub", "ordinary", "bare"))
        table.add_row(operation, f"{ours:,.0f}", f"{ordinary:,.0f}", f"{bare:,.0f}", f"{ours / ordinary:.2f}x")
    console.print(table)


_SHAPES = [
    Shape(1_000, 0),
    Shape(100_000, 0),
    Shape(1_000, 100_000),
    Shape(1_000_000, 0),
    Shape(1_000, 1_000_000),
]


def _profile(platform: Servers, *, count: int) -> None:
    env = platform.environment("bench_api", 6)
    for server in ("taskhub", "ordinary"):
        table = Table("operation", "CPU, us a request", "of which in", title=f"Where the time goes: {server}")
        for taken in profile.take(env, port=any_free(), logs=platform.logs, server=server, count=count):
            parts = (f"{name} {spent:,.0f}" for name, spent in taken.by_package.items() if spent >= 5)
            table.add_row(taken.operation, f"{taken.microseconds:,.0f}", ", ".join(parts))
        console.print(table)


def _scale(platform: Servers, *, largest: int) -> None:
    shapes = [shape for shape in _SHAPES if shape.waiting + shape.finished <= largest + 1_000]
    table = Table("waiting", "finished", "jobs/s", "of the first", title="Mark, claim and complete, one connection")
    found = scale.queue_depths(platform, shapes, cycles=20)
    for one in found:
        share = one.per_second / found[0].per_second
        table.add_row(f"{one.shape.waiting:,}", f"{one.shape.finished:,}", f"{one.per_second:,.0f}", f"{share:.2f}x")
    console.print(table)
    table = Table("depth", "pages/s", title="Pages of 100 tasks, by priority")
    for depth in scale.page_depths(platform, tasks=100_000):
        table.add_row(f"{depth.size:,}", f"{depth.per_second:,.0f}")
    console.print(table)


def _index(platform: Servers, elasticsearch_url: str | None, *, rounds: int) -> None:
    if elasticsearch_url is None:
        console.print(f"Events to the index: not measured, {why_unavailable()}")
        return
    found = index.measure(platform, elasticsearch_url, count=5_000, rounds=rounds, sqs_count=2_000)
    table = Table("way", "documents/s", "of helpers.bulk", title="Events to the search index")
    for one in found:
        table.add_row(one.way, f"{one.per_second:,.0f}", f"{one.of_bulk:.2f}x")
    console.print(table)


def _recovery(platform: Servers, *, rounds: int) -> None:
    taken = recovery.seconds_to_run_again(platform, rounds=rounds)
    console.print(
        f"From kill -9 of a worker to its job running again ({rounds} times): median {statistics.median(taken):.1f} s, "
        f"worst {max(taken):.1f} s"
    )


def _memory(platform: Servers, elasticsearch_url: str | None, *, requests: int) -> None:
    table = Table("process", "peak resident, MiB", "share now, MiB", title="Memory under load")
    for one in memory.under_load(platform, elasticsearch_url, requests=requests, waiting_jobs=4_000):
        table.add_row(one.process, f"{one.peak_resident:,.0f}", f"{one.share:,.0f}")
    console.print(table)


def main() -> None:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, "profile", []], help="default: all but profile")
    parser.add_argument("--quick", action="store_true", help="fewer jobs and rounds")
    arguments = parser.parse_args()
    parts = arguments.parts or _PARTS
    quick: bool = arguments.quick
    console.print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with servers() as platform, elasticsearch(wanted={"index", "memory"} & set(parts)) as elasticsearch_url:
        if "jobs" in parts:
            _job_rates(platform, count=4_000 if quick else 10_000, rounds=1 if quick else 3)
        if "latency" in parts:
            _latency(platform)
        if "api" in parts:
            _api(platform, count=500 if quick else 2_000, rounds=1 if quick else 3)
        if "index" in parts:
            _index(platform, elasticsearch_url, rounds=3 if quick else 9)
        if "recovery" in parts:
            _recovery(platform, rounds=2 if quick else 5)
        if "memory" in parts:
            _memory(platform, elasticsearch_url, requests=500 if quick else 2_000)
        if "profile" in parts:
            _profile(platform, count=1_000 if quick else 4_000)
        if "scale" in parts:
            _scale(platform, largest=100_000 if quick else 1_000_000)


if __name__ == "__main__":
    main()
