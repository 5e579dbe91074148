"""What collects logs and traces is gone: clients do not feel it, and afterwards it collects again (failure mode 8)."""

import asyncio
import time
import uuid
from collections import deque

import httpx
import pytest

from taskhub_local.faults import plain
from taskhub_local.faults.stage import Stage
from tests.alarms.conftest import Told, Watched
from tests.alarms.drills import (
    LOG_COLLECTOR,
    LOGGING,
    TRACE_COLLECTOR,
    is_gone,
    without_log_collectors,
    without_trace_collector,
)
from tests.alarms.load import under_load
from tests.e2e import watch
from tests.e2e.cluster.secrets import MONITORING
from tests.e2e.reach import SINK_URL

_ALERT = "LogPipelineSilent"
_TICKET_SECONDS = 420.0
"""Five minutes of `for`; the rest as with the pages."""
_RESOLVED_SECONDS = 420.0
_TRACELESS_SECONDS = 60.0
_BACK_SECONDS = 60.0
"""The promise, from the return of the collector."""
_MOVED_SECONDS = 60.0
_MARKS = 5
_LAST_TRACES = 20


@pytest.mark.timeout(2_400)
def test_lines_written_while_no_log_collector_runs_arrive_when_it_is_back(watched: Watched) -> None:
    kube, came_after, back = watched.kube, 0.0, 0.0

    async def act(stage: Stage) -> float:
        nonlocal came_after, back
        with without_log_collectors(kube):
            began = stage.breaks("no log collector runs")
            await stage.until(lambda: is_gone(kube, LOG_COLLECTOR, LOGGING), seconds=_MOVED_SECONDS, what="they end")
            marks = [await asyncio.to_thread(_ask, watched) for _ in range(_MARKS)]
            ticket = await stage.until(
                lambda: _ticket(resolved=False, since=began), seconds=_TICKET_SECONDS, what="a ticket is made"
            )
            came_after = ticket.received_at - began
            marks += [await asyncio.to_thread(_ask, watched) for _ in range(_MARKS)]
            assert not any(map(_lines, marks)), "a line arrived with no collector there"
        back = stage.heals(f"a ticket after {came_after:.0f} s; the log collectors may run again")
        await stage.until(lambda: all(map(_lines, marks)), seconds=_BACK_SECONDS, what="the lines of that time arrive")
        stage.say(f"the lines of that time are there after {time.time() - back:.0f} s")
        return began

    watch.until_quiet()
    since = time.time()
    loaded = under_load(watched, "log_collectors", "no log collector runs", act)
    over = watch.until(
        lambda: _ticket(resolved=True, since=back), seconds=_RESOLVED_SECONDS, what="the ticket is taken back"
    )
    beside = {one.alert for one in watch.fired(since, time.time())} - {_ALERT}
    Told("log collectors", _ALERT, came_after, _TICKET_SECONDS, over.received_at - back, tuple(sorted(beside))).save()
    loaded.assert_nothing_was_felt()
    assert not beside


@pytest.mark.timeout(1_200)
def test_traces_go_on_when_their_collector_is_back(watched: Watched) -> None:
    kube, asked = watched.kube, deque[str](maxlen=_LAST_TRACES)

    def arrives() -> bool:
        """Ask once more; whether a trace of the last ones is there, which takes a second or two."""
        asked.append(_ask(watched))
        return any(map(_services, asked))

    async def act(stage: Stage) -> float:
        with without_trace_collector(kube):
            began = stage.breaks("the trace collector is gone")
            await stage.until(
                lambda: is_gone(kube, TRACE_COLLECTOR, MONITORING), seconds=_MOVED_SECONDS, what="it ends"
            )
            await stage.last(_TRACELESS_SECONDS)
        asked.clear()
        back = stage.heals("the trace collector may run again")
        await stage.until(arrives, seconds=_BACK_SECONDS, what="a trace arrives")
        stage.say(f"traces arrive after {time.time() - back:.0f} s")
        return began

    watch.until(arrives, seconds=_BACK_SECONDS, what="traces arrive at all")
    under_load(watched, "trace_collector", "the trace collector is gone", act).assert_nothing_was_felt()


def _ticket(*, resolved: bool, since: float) -> watch.Notice | None:
    found = watch.notices("tickets", since)
    return next((one for one in found if one.alert == _ALERT and one.resolved is resolved), None)


def _ask(watched: Watched) -> str:
    """Send a request without a login; return the id of its trace, which is its log line's, too."""
    trace_id = uuid.uuid4().hex
    front = watched.setting.front
    assert front is not None
    headers = {"Host": front.host, "X-Request-Id": trace_id, "traceparent": f"00-{trace_id}-{'1' * 16}-01"}
    with httpx.Client(base_url=watched.setting.api_url, verify=front.tls, trust_env=False, timeout=5) as client:
        answer = client.get("/v1/tasks", headers=headers, extensions={"sni_hostname": front.host})
    assert answer.status_code == httpx.codes.UNAUTHORIZED
    return trace_id


def _lines(part: str) -> list[str]:
    found = plain.get(f"{SINK_URL}/logs", params={"contains": part}, timeout_seconds=10).raise_for_status().json()
    lines: list[str] = found["lines"]
    return lines


def _services(trace_id: str) -> set[str]:
    found = plain.get(f"{SINK_URL}/spans", params={"trace_id": trace_id}, timeout_seconds=10).raise_for_status().json()
    return {span["service"] for span in found["spans"]}
