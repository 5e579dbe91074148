"""The states of a job, and which may follow which."""

import enum


class JobState(enum.StrEnum):
    """Where a job stands. The last three are terminal: nothing changes them."""

    SCHEDULED = "scheduled"
    """Not due yet: its time is to come, or a retry waits out its backoff."""
    QUEUED = "queued"
    """Due. Waits in PostgreSQL, or its id is with the broker."""
    RUNNING = "running"
    """Claimed by a worker that holds a lease."""
    SUCCEEDED = "succeeded"
    DEAD = "dead"
    """Out of attempts, or failed for good: kept for inspection and replay."""
    CANCELLED = "cancelled"


TERMINAL = frozenset({JobState.SUCCEEDED, JobState.DEAD, JobState.CANCELLED})

NEXT: dict[JobState, frozenset[JobState]] = {
    JobState.SCHEDULED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.SCHEDULED, JobState.QUEUED, *TERMINAL}),
    JobState.SUCCEEDED: frozenset(),
    JobState.DEAD: frozenset(),
    JobState.CANCELLED: frozenset(),
}
