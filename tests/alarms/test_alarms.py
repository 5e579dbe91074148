"""One thing is gone or wrong: somebody is told of it alone, and in time; the runbook mends it; they hear that, too."""

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tools.matrix.expect import expectation_of_row
from tools.matrix.model import load

from tests.alarms.conftest import Told, Watched
from tests.alarms.drills import DRILLS, Drill
from tests.alarms.mending import mend
from tests.e2e import watch
from tests.e2e.ready import until_well

_TIMEOUT_SECONDS = 1_800
_RESOLVED_SECONDS = 420.0
_RUNBOOKS = Path(__file__).parents[2] / "observability" / "runbooks"


@pytest.mark.timeout(_TIMEOUT_SECONDS)
@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_the_right_alert_is_told_alone_and_taken_back(drill: Drill, watched: Watched) -> None:
    expected = expectation_of_row(load(), drill.row)
    awaited = drill.right(expected.right)
    asyncio.run(until_well(watched.kube, watched.setting))
    watch.until_quiet()
    watched.setting.say(f"{drill.name}: broken")
    began = time.time()

    def right(*, resolved: bool, since: float) -> watch.Notice | None:
        found = watch.notices(drill.told, since)
        return next((one for one in found if one.alert in awaited and one.resolved is resolved), None)

    with drill.breaking(watched):
        page = watch.until(
            lambda: right(resolved=False, since=began),
            seconds=drill.within_seconds + 60,
            what=f"one of {', '.join(sorted(awaited))} is told of",
        )
        watched.setting.say(f"{drill.name}: {page.alert} after {page.received_at - began:.0f} s")
        healed = time.time()
        if drill.cure:
            mend(page.alert, drill.cure, watched.setting.folder)
            asyncio.run(until_well(watched.kube, watched.setting))
            watched.setting.say(f"{drill.name}: mended by {page.alert}.md after {time.time() - healed:.0f} s")
    asyncio.run(until_well(watched.kube, watched.setting))
    over = watch.until(
        lambda: right(resolved=True, since=healed), seconds=_RESOLVED_SECONDS, what=f"{page.alert} is taken back"
    )
    watched.setting.say(f"{drill.name}: taken back after {over.received_at - healed:.0f} s")
    beside = {one.alert for one in watch.fired(began, time.time())} - {page.alert}
    told = Told(
        drill.name,
        page.alert,
        page.received_at - began,
        drill.within_seconds,
        over.received_at - healed,
        tuple(sorted(beside)),
    )
    told.save()
    assert (_RUNBOOKS / Path(urlsplit(page.runbook_url).path).name).is_file(), f"no runbook: {page.runbook_url}"
    assert beside <= expected.allowed, f"false alerts: {', '.join(sorted(beside - expected.allowed))}"
    assert told.paged_after <= drill.within_seconds
