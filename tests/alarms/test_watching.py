"""What watches is gone itself: clients do not feel it, and the dead-man's switch goes off (failure mode 8)."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.alarms.conftest import Told, Watched
from tests.alarms.drills import without_servers
from tests.e2e import watch
from tests.e2e.ready import until_well

_ALARM_SECONDS = 150.0
"""The switch alarms after 100 s of silence and hears something every 30 s; the promise is two minutes of silence."""
_BACK_SECONDS = 300.0


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("kind", ["prometheuses", "alertmanagers"])
def test_the_dead_mans_switch_goes_off_and_no_request_fails(kind: str, watched: Watched) -> None:
    asyncio.run(until_well(watched.kube, watched.setting))
    watch.until(lambda: not watch.watchdog().alarming, seconds=_BACK_SECONDS, what="the Watchdog is heard")
    began = time.time()
    with _asking(watched) as failures:
        with without_servers(watched.kube, kind):
            watch.until(lambda: watch.watchdog().alarming, seconds=_ALARM_SECONDS + 60, what="the switch alarms")
            alarmed = time.time()
            watched.setting.say(f"{kind}: the switch alarmed after {alarmed - began:.0f} s")
        watch.until(lambda: not watch.watchdog().alarming, seconds=_BACK_SECONDS, what="the Watchdog is heard again")
        back = time.time()
        # "Metrics come back": the query of the page that an SRE would look at has a value again.
        watch.until(lambda: watch.firing() is not None, seconds=_BACK_SECONDS, what="Prometheus answers")
    Told(kind, "the dead-man's switch", alarmed - began, _ALARM_SECONDS, back - alarmed, ()).save()
    assert not failures, f"{len(failures)} requests failed, the first with {failures[0]}"
    assert alarmed - began <= _ALARM_SECONDS


@contextmanager
def _asking(watched: Watched) -> Iterator[list[str]]:
    """Ask the API for its list of job kinds ten times a second inside the block; yields what failed."""
    front = watched.setting.front
    assert front is not None
    failures: list[str] = []
    over = threading.Event()

    def ask() -> None:
        headers, extensions = {"Host": front.host}, {"sni_hostname": front.host}
        with httpx.Client(base_url=watched.setting.api_url, verify=front.tls, trust_env=False, timeout=5) as client:
            while not over.wait(0.1):
                try:
                    answer = client.get("/readyz", headers=headers, extensions=extensions)
                except httpx.HTTPError as error:
                    failures.append(repr(error))
                else:
                    if not answer.is_success:
                        failures.append(f"{answer.status_code} {answer.text.strip()[:200]}")

    asking = threading.Thread(target=ask, name="asking")
    asking.start()
    try:
        yield failures
    finally:
        over.set()
        asking.join()
