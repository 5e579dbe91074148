"""The states of a task, in one place for the table, the API and the file formats."""

from enum import StrEnum


class TaskStatus(StrEnum):
    """Where a task stands. The values are stored and sent as they are."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    CANCELLED = "cancelled"
