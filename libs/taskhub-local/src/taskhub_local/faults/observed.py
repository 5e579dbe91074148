"""What is found in the platform after a run: the other side that the verdict compares the ledger with."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A row of tasks, deleted ones included."""

    id: uuid.UUID
    title: str
    notes: str
    version: int
    deleted: bool


@dataclass(frozen=True, slots=True)
class JobRow:
    """A row of jobs."""

    id: uuid.UUID
    kind: str
    state: str
    attempt: int
    sent_mail: bool = False
    """Its result says that it sent a mail."""
    about: uuid.UUID | None = None
    """The task or event that it was submitted for, where TaskHub itself submitted it."""


@dataclass(frozen=True, slots=True)
class EffectRow:
    """A committed effect of a job. `step` is -1 for the one that belongs to its completion."""

    job_id: uuid.UUID
    step: int


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """An event in the activity feed."""

    event_id: uuid.UUID
    type: str
    subject_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class IndexedTask:
    """A document of the search index."""

    version: int
    deleted: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook request that the receiver answered with 2xx."""

    delivery_id: uuid.UUID
    event_id: uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything of the driver's own account, and the whole index beside the whole table."""

    tasks: tuple[TaskRow, ...] = ()
    jobs: tuple[JobRow, ...] = ()
    effects: tuple[EffectRow, ...] = ()
    activity: tuple[ActivityRow, ...] = ()
    mails: tuple[uuid.UUID, ...] = ()
    """The job id in the Message-ID of each mail that was taken, repeats included."""
    deliveries: tuple[Delivery, ...] = ()
    versions: Mapping[uuid.UUID, IndexedTask] = field(default_factory=dict)
    """Every task of every account in PostgreSQL, as the index should have it."""
    index: Mapping[uuid.UUID, IndexedTask] | None = None
    """Every document of the index; None where there is no Elasticsearch."""
    on_their_way: Mapping[uuid.UUID, int] = field(default_factory=dict)
    """How many events of a task or job the feed may lack: they were in SQS when time was set back by a restore."""
