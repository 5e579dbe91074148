"""The cases, by name."""

from collections.abc import Mapping

from taskhub_local.faults.case import Case
from taskhub_local.faults.cases import (
    api,
    broker,
    clock,
    database,
    dispatcher,
    outbox,
    queue,
    redis_full,
    search,
    worker,
)

_MODULES = (
    api,
    worker,
    dispatcher,
    database,
    broker,
    redis_full,
    queue,
    search,
    outbox,
    clock,
)

CASES: Mapping[str, Case] = {case.name: case for module in _MODULES for case in module.CASES}
"""Every case that runs on a platform that is up."""
