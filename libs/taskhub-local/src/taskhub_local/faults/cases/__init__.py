"""The cases, by name."""

from collections.abc import Mapping

from taskhub_local.faults.case import Case
from taskhub_local.faults.cases import api, broker, clock, database, dispatcher, outbox, queue, search, worker

CASES: Mapping[str, Case] = {
    case.name: case
    for module in (api, worker, dispatcher, database, broker, queue, search, outbox, clock)
    for case in module.CASES
}
"""Every case that runs on a platform that is up."""
