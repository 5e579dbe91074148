"""What is known of a dependency, and what its absence means for clients."""

import enum
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self


class Dependency(enum.StrEnum):
    """What the platform depends on."""

    POSTGRESQL = "postgresql"
    REDIS = "redis"
    SQS = "sqs"
    ELASTICSEARCH = "elasticsearch"


class State(enum.StrEnum):
    """What the last probe found."""

    UNKNOWN = "unknown"
    """It was not asked yet: the process has just started."""
    UP = "up"
    DOWN = "down"
    NOT_CONFIGURED = "not-configured"


WITHOUT = {
    Dependency.POSTGRESQL: "Tasks and jobs can be neither read nor changed. Searches may still be answered, from the "
    "index, and are labelled stale. Nothing that was acknowledged is lost.",
    Dependency.REDIS: "Jobs are accepted and kept, but start only when it is back.",
    Dependency.SQS: "Changes are accepted and kept, but reach search, the activity feed and webhooks only when it is "
    "back.",
    Dependency.ELASTICSEARCH: "Searches are answered by PostgreSQL: without forgiving typos, and in another order.",
}
"""What degrades while a dependency is down, in words that a user understands."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one dependency."""

    state: State = State.UNKNOWN
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When the state was first found, not when it began: up to one interval of the probes earlier."""
    error: str | None = None
    """The class of the last failure, also when it is over."""
    error_at: datetime | None = None
    probed_at: datetime | None = None

    def found(self, state: State, *, error: str | None, at: datetime) -> Self:
        """After one more probe."""
        return replace(
            self,
            state=state,
            since=self.since if state is self.state else at,
            error=error or self.error,
            error_at=at if error else self.error_at,
            probed_at=at,
        )
