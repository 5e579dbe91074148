"""Runs one case: load, fault, recovery, settling, verdict."""

import asyncio
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Case, Evidence, Felt, Need
from taskhub_local.faults.client import Call, Client, Credentials, HttpCall
from taskhub_local.faults.findings import Fault
from taskhub_local.faults.judge_views import SUBSCRIBED
from taskhub_local.faults.ledger import Ledger
from taskhub_local.faults.load import Load
from taskhub_local.faults.machine import Machine, Waiting, work_seconds
from taskhub_local.faults.measure import (
    Way,
    as_probes,
    counter,
    event_ways,
    job_ways,
    late_seconds,
    promptness,
    what_was_heard,
)
from taskhub_local.faults.observe import Eyes
from taskhub_local.faults.priority import preferred
from taskhub_local.faults.pulse import Pulse
from taskhub_local.faults.reach import Front, Hooks, Reach
from taskhub_local.faults.receiver import Receiver
from taskhub_local.faults.recovery import Probe, longest_gap, percentile, recovery_seconds
from taskhub_local.faults.report import CaseReport, summary
from taskhub_local.faults.rewind import rewound
from taskhub_local.faults.settle import Settled, settle
from taskhub_local.faults.stage import Stage
from taskhub_local.faults.verdict import Verdict, judge

if TYPE_CHECKING:
    from taskhub_local.faults.host import Host

_WARM_SECONDS = 4.0
_CALM_SECONDS = 3.0
_CALM_PROBES = 3
_SLOW_SEARCHES = 0.1
"""A search that takes Elasticsearch more than 400 ms is answered by PostgreSQL, also on a good day: so many may be."""
_FENCED = "taskhub_fenced_writes_total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a case runs."""

    target: Reach
    folder: Path
    """Takes the ledgers."""
    kinds: bool
    """Whether the platform knows the job kinds of the fault driver."""
    host: "Host | None" = None
    say: Callable[[str], None] = lambda _: None
    watch: Callable[[Client, Pulse, Stage], None] = lambda _client, _pulse, _stage: None
    """Is given what it may look at while the case runs."""
    front: Front | None = None
    """The ingress before the API, if there is one."""
    look_seconds: float = 0.05
    """How often a case looks whether what it waits for has come."""
    receiver: Callable[[], AbstractContextManager[Hooks]] = Receiver
    """Makes the receiver of webhooks of one case."""

    @property
    def api_url(self) -> str:
        """Where clients find the API."""
        return self.target.api_url if self.host is None else self.host.balancer.url

    def lacks(self, case: Case) -> str | None:
        """Return what the case needs and is not here."""
        here = {
            Need.KINDS: self.kinds,
            Need.ELASTICSEARCH: self.target.elasticsearch_url is not None,
            Need.HOST: self.host is not None,
        }
        return next((f"it needs {need.value}" for need in case.needs if not here[need]), None)


@dataclass(slots=True)
class _Run:
    setting: Setting
    case: Case
    client: Client
    eyes: Eyes
    load: Load
    pulse: Pulse
    stage: Stage
    work_seconds: float
    waiting: Waiting
    prompt_job: float = 0.0
    prompt_event: float = 0.0

    def probes(self) -> list[Probe]:
        """What recovery is measured by."""
        match self.case.felt:
            case Felt.WRITES:
                return [call.probe for call in self.pulse.writes]
            case Felt.SEARCHES:
                return [_by_elasticsearch(call) for call in self.pulse.searches]
            case Felt.JOBS:
                return as_probes(self.job_ways(), prompt_seconds=self.prompt_job)
            case Felt.EVENTS:
                return as_probes(event_ways(self.eyes), prompt_seconds=self.prompt_event)
            case Felt.MARKED:
                return []

    def job_ways(self) -> list[Way]:
        return job_ways(self.eyes, kinds=self.setting.kinds)


async def run_case(case: Case, setting: Setting, *, seed: int) -> CaseReport:
    """Run a case and report on it. Raises LocalError when the platform does not even work before the fault."""
    name = f"{case.name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    async with _prepared(case, setting, name, seed) as run:
        setting.watch(run.client, run.pulse, run.stage)
        fenced = counter(setting.target.metrics_urls, _FENCED)
        async with run.pulse.running(), run.load.running():
            await _warm_up(run)
            try:
                since = await case.act(run.stage)
                failure = ""
            except LocalError as error:
                since, failure = run.stage.began_at or time.time(), str(error)
            await _calm(run, since)
            ended_at = time.time()
        setting.say("the load has ended; waiting until everything accepted is done")
        settled = await asyncio.to_thread(settle, run.eyes, deadline_seconds=case.settle_seconds)
        evidence = Evidence(
            began_at=run.stage.began_at or since,
            since=since,
            ended_at=ended_at,
            writes=run.pulse.writes,
            searches=run.pulse.searches,
            calls=run.client.calls,
            jobs=as_probes(run.job_ways(), prompt_seconds=run.prompt_job),
            events=as_probes(event_ways(run.eyes), prompt_seconds=run.prompt_event),
            fenced_writes=max(0.0, counter(setting.target.metrics_urls, _FENCED) - fenced),
        )
        entries = run.client.ledger.entries
        if run.stage.rewind is not None:
            entries = rewound(entries, run.stage.rewind)
        report = _report(run, evidence, settled, judge(entries, settled.observed), seed=seed)
        report = replace(report, failures=(failure, *report.failures)) if failure else report
        for line in summary(report):
            setting.say(line)
        return report


@asynccontextmanager
async def _prepared(case: Case, setting: Setting, name: str, seed: int) -> AsyncIterator[_Run]:
    async with AsyncExitStack() as stack:
        receiver = stack.enter_context(setting.receiver())
        stack.enter_context(preferred())
        ledger = stack.enter_context(Ledger(setting.folder / f"{name}.jsonl"))
        account = Credentials(f"{name}@example.com", secrets.token_urlsafe(18))
        client = await stack.enter_async_context(Client(setting.api_url, account, ledger, front=setting.front))
        await client.register()
        await client.log_in()
        account_id = uuid.UUID((await _expect(client, HttpCall("GET", "/v1/me"))).json()["id"])
        subscription = {"url": receiver.url, "event_types": list(SUBSCRIBED)}
        await _expect(client, HttpCall("POST", "/v1/webhooks", json=subscription))
        eyes = Eyes(setting.target, account_id, account.email, receiver)
        load = Load(client, replace(case.plan, mix=case.mix(kinds=setting.kinds)), seed=seed)
        stage = Stage(
            setting.target,
            client,
            eyes,
            kinds=setting.kinds,
            host=setting.host,
            say=setting.say,
            look_seconds=setting.look_seconds,
        )
        pulse = Pulse(client, writes_a_second=case.plan.pulse_writes, searches_a_second=case.plan.pulse_searches)
        yield _Run(setting, case, client, eyes, load, pulse, stage, work_seconds(), Waiting())


async def _expect(client: Client, call: HttpCall) -> httpx.Response:
    answer = await client.raw(call)
    if not answer.is_success:
        raise LocalError(f"{call.method} {call.path}: {answer.status_code} {answer.text.strip()}")
    return answer


async def _warm_up(run: _Run) -> None:
    """Load without a fault: until a job and an event have gone through, and long enough to know what is prompt."""
    run.setting.say("warming up")
    await asyncio.sleep(_WARM_SECONDS)

    def through() -> bool:
        return any(way.out for way in run.job_ways()) and bool(event_ways(run.eyes))

    await run.stage.until(through, seconds=60, what="a job and an event went through before the fault")
    run.prompt_job = promptness(await asyncio.to_thread(run.job_ways))
    run.prompt_event = promptness(await asyncio.to_thread(event_ways, run.eyes))


async def _calm(run: _Run, since: float) -> None:
    """Keep the load up until what was broken has worked for some seconds, or for long enough to call it broken."""
    deadline = max(time.time(), since) + 2 * run.case.budget_seconds + 10
    while time.time() < deadline:
        await asyncio.sleep(0.5)
        if run.case.felt is Felt.MARKED:
            if time.time() > max(since, run.stage.recovered_at or since) + _CALM_SECONDS:
                return
        elif await asyncio.to_thread(_steady, run, since):
            return


def _steady(run: _Run, since: float) -> bool:
    try:
        probes = run.probes()
    except psycopg.Error:  # PostgreSQL is what was broken
        return False
    from_then = max(since, time.time() - _CALM_SECONDS)
    recent = [probe for probe in probes if probe.ended > from_then]
    tolerated = _SLOW_SEARCHES if run.case.felt is Felt.SEARCHES else 0.0
    failed = sum(not probe.ok for probe in recent)
    return time.time() > since + _CALM_SECONDS and len(recent) >= _CALM_PROBES and failed <= tolerated * len(recent)


def _by_elasticsearch(call: Call) -> Probe:
    source = call.body.get("source") if call.body else None
    return replace(call.probe, ok=call.probe.ok and source == "elasticsearch")


def _report(run: _Run, evidence: Evidence, settled: Settled, verdict: Verdict, *, seed: int) -> CaseReport:
    case = run.case
    recovery = _recovery(run, evidence)
    checked = [check(evidence) for check in case.checks]
    failures = [result.complaint for result in checked if result.complaint]
    if recovery > case.budget_seconds:
        late = f"recovery took {recovery:.2f} s, allowed are {case.budget_seconds:g} s"
        failures.insert(0, f"{late}{_heard(run, evidence)}")
    if settled.left:
        failures.append(f"after {settled.seconds:.0f} s without load {settled.left}")
    failures += [f"{finding.fault.value}: {finding.sentence}" for finding in verdict.findings[:20]]
    latencies = [call.probe.seconds for call in run.client.calls]
    lost, doubled = verdict.count(Fault.LOST), verdict.count(Fault.DOUBLED)
    return CaseReport(
        name=case.name,
        breaks=case.breaks,
        felt=case.felt.value,
        counted_from=case.counted_from,
        recovery_seconds=recovery,
        budget_seconds=case.budget_seconds,
        requests=verdict.requests,
        acknowledged=verdict.acknowledged,
        refused=verdict.refused,
        unknown=verdict.unknown,
        jobs=verdict.jobs,
        lost=lost,
        doubled=doubled,
        other_findings=len(verdict.findings) - lost - doubled,
        repeated_deliveries=verdict.repeated,
        latency_p50_seconds=percentile(latencies, 0.5),
        latency_p99_seconds=percentile(latencies, 0.99),
        latency_worst_seconds=max(latencies),
        longest_gap_seconds=longest_gap(call.probe for call in run.pulse.writes),
        settle_seconds=settled.seconds,
        seed=seed,
        machine=Machine(run.work_seconds, run.waiting.share()),
        notes=(*run.stage.notes, *(result.note for result in checked if result.note)),
        failures=tuple(failures),
    )


def _heard(run: _Run, evidence: Evidence) -> str:
    """Tell what writes heard since: it explains a budget that was missed."""
    if run.case.felt is not Felt.WRITES:
        return ""
    measured = [call for call in evidence.writes if call.probe.began < run.stage.measured_until]
    heard = what_was_heard(measured, evidence.since)
    return f" (writes heard: {heard})" if heard else ""


def _recovery(run: _Run, evidence: Evidence) -> float:
    if run.case.felt is Felt.MARKED:
        recovered_at = run.stage.recovered_at
        return float("inf") if recovered_at is None else max(0.0, recovered_at - evidence.since)
    until = run.stage.measured_until
    if run.case.felt is Felt.JOBS:
        ways = [way for way in run.job_ways() if way.began < until]
        return late_seconds(ways, evidence.since, prompt_seconds=run.prompt_job)
    if run.case.felt is Felt.EVENTS:
        ways = [way for way in event_ways(run.eyes) if way.began < until]
        return late_seconds(ways, evidence.since, prompt_seconds=run.prompt_event)
    tolerated = _SLOW_SEARCHES if run.case.felt is Felt.SEARCHES else 0.0
    measured = [probe for probe in run.probes() if probe.began < until]
    return recovery_seconds(measured, evidence.since, tolerated=tolerated)
