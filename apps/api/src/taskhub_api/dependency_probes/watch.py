"""The background tasks that probe, and the memory of what they found."""

import asyncio
from datetime import UTC, datetime
from typing import Self

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from taskhub_api.dependency_probes.probes import ElasticsearchProbe, PostgresProbe, Probe, RedisProbe, SqsProbe
from taskhub_api.dependency_probes.state import Dependency, Known, State
from taskhub_api.settings import ApiSettings
from taskhub_core.telemetry import metrics

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 1.5
"""How long a dependency may take to answer a probe before it counts as down."""


class DependencyWatch:
    """Probes every dependency at an interval while it is entered; what it knows can be read at any time."""

    def __init__(self, settings: ApiSettings, engine: AsyncEngine) -> None:
        self._interval_seconds = settings.probe_seconds
        self._engine = engine
        self._probes: dict[Dependency, Probe] = {
            Dependency.POSTGRESQL: PostgresProbe(settings),
            Dependency.REDIS: RedisProbe(settings, timeout_seconds=TIMEOUT_SECONDS),
            Dependency.SQS: SqsProbe(settings, timeout_seconds=TIMEOUT_SECONDS),
        }
        if settings.elasticsearch_url is not None:
            self._probes[Dependency.ELASTICSEARCH] = ElasticsearchProbe(settings, timeout_seconds=TIMEOUT_SECONDS)
        self._known = {
            dependency: Known(State.UNKNOWN if dependency in self._probes else State.NOT_CONFIGURED)
            for dependency in Dependency
        }
        self._tasks: list[asyncio.Task[None]] = []

    def known(self, dependency: Dependency) -> Known:
        """What the last probe left behind."""
        return self._known[dependency]

    def is_down(self, dependency: Dependency) -> bool:
        """Whether the last probe failed."""
        return self._known[dependency].state is State.DOWN

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._probe_for_ever(dependency, probe), name=f"probe-{dependency}")
            for dependency, probe in self._probes.items()
        ]
        self._tasks.append(asyncio.create_task(self._measure_pool_for_ever(), name="pool-gauge"))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(probe.close() for probe in self._probes.values()))

    async def _probe_for_ever(self, dependency: Dependency, probe: Probe) -> None:
        while True:
            error = await _failure(probe)
            before = self._known[dependency]
            state = State.UP if error is None else State.DOWN
            name = None if error is None else type(error).__name__
            known = before.found(state, error=name, at=datetime.now(UTC))
            self._known[dependency] = known
            metrics.DEPENDENCY_UP.labels(dependency=dependency.value).set(state is State.UP)
            if state is not before.state:
                level = log.info if state is State.UP else log.warning
                level("dependency changed", dependency=dependency.value, state=state.value, error=_in_short(error))
            await asyncio.sleep(self._interval_seconds)

    async def _measure_pool_for_ever(self) -> None:
        pool = self._engine.pool
        assert isinstance(pool, QueuePool)
        metrics.POOL_LIMIT.labels(pool="api").set(pool.size())  # it never overflows
        while True:
            metrics.POOL_CONNECTIONS.labels(state="in use").set(pool.checkedout())
            metrics.POOL_CONNECTIONS.labels(state="idle").set(pool.checkedin())
            await asyncio.sleep(self._interval_seconds)


async def _failure(probe: Probe) -> Exception | None:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await probe.ask()
    except Exception as error:  # whatever it is, it is the probe's finding
        return error
    return None


def _in_short(error: Exception | None) -> str | None:
    return None if error is None else f"{type(error).__name__}: {str(error).partition('\n')[0][:300]}"
