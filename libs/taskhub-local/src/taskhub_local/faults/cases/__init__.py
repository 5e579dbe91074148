"""The cases, by name."""

from collections.abc import Mapping

from taskhub_local.faults.case import Case
from taskhub_local.faults.cases import (
    api,
    broker,
    clock,
    connections,
    database,
    dispatcher,
    drift,
    outbox,
    queue,
    redis_full,
    search,
    search_full,
    worker,
)

_MODULES = (
    api,
    worker,
    dispatcher,
    database,
    connections,
    broker,
    redis_full,
    queue,
    search,
    search_full,
    drift,
    outbox,
    clock,
)

CASES: Mapping[str, Case] = {case.name: case for module in _MODULES for case in module.CASES}
"""Every case that runs on a platform that is up."""
