"""The errors a service raises: each says what happened, to what, and what to do about it."""


class TaskHubError(Exception):
    """The root of every error that TaskHub raises on purpose."""


class InvalidInput(TaskHubError):
    """The request is well formed but cannot be carried out as it stands. `field` names the part at fault."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class NotFound(TaskHubError):
    """The thing does not exist, or belongs to another account (which is told apart by nobody)."""


class Conflict(TaskHubError):
    """The request contradicts what is already there."""


class VersionMismatch(TaskHubError):
    """The thing changed since the caller read it. `current` is its version now."""

    def __init__(self, message: str, *, current: int) -> None:
        super().__init__(message)
        self.current = current


class Unavailable(TaskHubError):
    """A dependency does not answer. Nothing was changed; try again after `retry_after_seconds`."""

    def __init__(self, message: str, *, dependency: str, retry_after_seconds: int = 2) -> None:
        super().__init__(message)
        self.dependency = dependency
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknown(Unavailable):
    """The connection was lost while committing: the change may or may not have been made."""
