"""The loop that takes jobs back from workers whose lease ran out."""

from collections.abc import Sequence

import structlog
from sqlalchemy import Connection, Engine

from taskhub_core.events import outbox
from taskhub_core.events.schema import Event
from taskhub_core.jobs.announce import job_ended
from taskhub_core.jobs.dispatch import Rescued, rescue_expired
from taskhub_core.jobs.notify import wake_dispatcher
from taskhub_core.jobs.registry import Registry
from taskhub_core.jobs.states import TERMINAL
from taskhub_core.telemetry import metrics
from taskhub_core.telemetry.context import incoming
from taskhub_worker.dispatcher.loop import Loop
from taskhub_worker.dispatcher.settings import DispatcherSettings

log = structlog.get_logger(__name__)

_JOBS_A_TRANSACTION = 500


def rescue(connection: Connection, registry: Registry, *, limit: int = _JOBS_A_TRANSACTION) -> list[Rescued]:
    """Ends expired attempts and announces those that ended for good, in the caller's transaction."""
    rescued = rescue_expired(connection, limit=limit)
    if rescued:
        outbox.add(connection, _announcements(rescued, registry))
        wake_dispatcher(connection)
    return rescued


def _announcements(rescued: Sequence[Rescued], registry: Registry) -> list[Event]:
    announcing = {kind.name for kind in registry.all() if kind.announces}
    events = []
    for job in rescued:
        if job.state in TERMINAL and job.kind in announcing:
            with incoming(job.context, span="announce"):
                events.append(
                    job_ended(
                        job_id=job.job_id,
                        account_id=job.account_id,
                        kind=job.kind,
                        attempt=job.attempt,
                        state=job.state,
                        detail=job.error,
                    )
                )
    return events


class RescueLoop(Loop):
    """Looks for expired leases. Replicas share the work: each skips what another has locked."""

    name = "rescue"

    def __init__(self, settings: DispatcherSettings, engine: Engine, registry: Registry) -> None:
        super().__init__()
        self._settings = settings
        self._engine = engine
        self._registry = registry

    def turn(self) -> float:
        """One batch."""
        with self._engine.begin() as connection:
            rescued = rescue(connection, self._registry)
        for job in rescued:
            metrics.LEASES_RESCUED.labels(outcome=job.state.value).inc()
            metrics.RESCUE_DELAY_SECONDS.observe(max(0.0, job.late_seconds))
            log.warning(
                "lease expired; job rescued",
                job_id=str(job.job_id),
                kind=job.kind,
                attempt=job.attempt,
                outcome=job.state.value,
                late_seconds=round(job.late_seconds, 3),
            )
        return 0.0 if len(rescued) >= _JOBS_A_TRANSACTION else self._settings.rescue_poll_seconds

    def close(self) -> None:
        """Closes the connection."""
        self._engine.dispose()
