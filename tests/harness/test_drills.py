"""What `make alarms` breaks is in the failure matrix, and the pages that it may lead to tell how that is mended."""

import pytest
from tests.alarms.drills import DRILLS, Drill
from tests.alarms.mending import block_with
from tests.observability.runbooks.reading import FOLDER, Runbook, without_placeholders
from tools.matrix.expect import expectation_of_row
from tools.matrix.model import load
from tools.matrix.world import alerting_rules

_SEVERITIES = {"pages": "page", "tickets": "ticket"}
_RULES = {rule["alert"]: rule for rule in alerting_rules(FOLDER.parent / "rules")}


def _right(drill: Drill) -> list[str]:
    """The alerts that the drill may come to, of those that it waits for."""
    names = drill.right(expectation_of_row(load(), drill.row).right)
    return [name for name in names if _RULES[name]["labels"]["severity"] == _SEVERITIES[drill.told]]


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_a_drill_waits_for_an_alert_that_its_row_promises(drill: Drill) -> None:
    assert _right(drill)


@pytest.mark.parametrize("drill", [drill for drill in DRILLS if drill.cure], ids=lambda drill: drill.name)
def test_each_page_that_a_drill_may_lead_to_has_its_cure_or_links_one_that_has(drill: Drill) -> None:
    pages = {alert: Runbook(FOLDER / f"{alert}.md") for alert in _right(drill)}
    complete = {f"{alert}.md" for alert, page in pages.items() if drill.cure in page.sections["Mitigation"]}
    assert complete
    for alert, page in pages.items():
        if f"{alert}.md" in complete:
            block = block_with(alert, drill.cure)
            assert without_placeholders(block) == block, "what is run as it stands has nothing to fill in"
        else:
            assert complete.intersection(page.links), f"{alert}.md has no way to what mends {drill.name}"
