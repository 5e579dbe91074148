"""What a handler may raise, and what the engine raises inside a handler."""

from taskhub_core.errors import TaskHubError


class PermanentError(TaskHubError):
    """The job can never succeed: it goes straight to dead, without further attempts."""


class RetryLater(TaskHubError):
    """The job failed for now. `delay_seconds` overrides the kind's backoff (a server's Retry-After, say)."""

    def __init__(self, message: str, *, delay_seconds: float | None = None) -> None:
        super().__init__(message)
        self.delay_seconds = delay_seconds


class JobInterrupted(BaseException):
    """The engine stops the handler. A BaseException, so that `except Exception` in a handler cannot swallow it."""


class LeaseLost(JobInterrupted):
    """The lease could not be renewed or the job belongs to another worker by now: whatever is written is fenced off."""


class CancelRequested(JobInterrupted):
    """Somebody asked for the job to be cancelled."""


class ShuttingDown(JobInterrupted):
    """The worker must stop before the job can end: the job is given back."""


class SoftLimitExceeded(JobInterrupted):
    """The job ran longer than its kind allows."""
