"""What watches is gone, or cannot be heard: clients do not feel it, and the dead-man's switch goes off (mode 8)."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest

from tests.alarms.conftest import Told, Watched
from tests.alarms.drills import without_dns, without_servers
from tests.e2e import watch
from tests.e2e.kube import Kube
from tests.e2e.ready import unanswered, until_well

_ALARM_SECONDS = 150.0
"""The promise is two minutes: 40 s for which Alertmanager repeats what Prometheus said last, up to 20 s between calls,
a minute of silence. The rest is for a machine that is slow to delete the pods."""
_BACK_SECONDS = 300.0
_SILENCED: dict[str, Callable[[Kube], AbstractContextManager[None]]] = {
    "prometheuses": partial(without_servers, kind="prometheuses"),
    "alertmanagers": partial(without_servers, kind="alertmanagers"),
    "dns": without_dns,  # whoever is to be told has a name
}


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("silenced", _SILENCED)
def test_the_dead_mans_switch_goes_off_and_no_request_fails(silenced: str, watched: Watched) -> None:
    asyncio.run(until_well(watched.kube, watched.setting))
    watch.until(lambda: not watch.watchdog().alarming, seconds=_BACK_SECONDS, what="the Watchdog is heard")
    began = time.time()
    with _asking(watched) as failures:
        with _SILENCED[silenced](watched.kube):
            watch.until(lambda: watch.watchdog().alarming, seconds=_ALARM_SECONDS + 60, what="the switch alarms")
            alarmed = time.time()
            watched.setting.say(f"{silenced}: the switch alarmed after {alarmed - began:.0f} s")
        watch.until(lambda: not watch.watchdog().alarming, seconds=_BACK_SECONDS, what="the Watchdog is heard again")
        back = time.time()
        # "Metrics come back": the query of the page that an SRE would look at has a value again.
        watch.until(lambda: watch.firing() is not None, seconds=_BACK_SECONDS, what="Prometheus answers")
    Told(silenced, "the dead-man's switch", alarmed - began, _ALARM_SECONDS, back - alarmed, ()).save()
    assert not failures, f"{len(failures)} requests failed, the first with {failures[0]}"
    assert alarmed - began <= _ALARM_SECONDS


@contextmanager
def _asking(watched: Watched) -> Iterator[list[str]]:
    """Ask the API ten times a second inside the block; yields what failed."""
    failures: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.1):
            if problem := unanswered(watched.setting):
                failures.append(problem)

    asking = threading.Thread(target=ask, name="asking")
    asking.start()
    try:
        yield failures
    finally:
        over.set()
        asking.join()
