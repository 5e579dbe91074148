"""What became of one attempt, before it is written down."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from taskhub_core.events.schema import Event
from taskhub_core.jobs.context import Effect
from taskhub_core.jobs.lease import Claimed, Completion
from taskhub_core.jobs.registry import JobKind

MESSAGE_LIMIT = 2_000
_URL_PASSWORD = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]*(?=@)")
_NAMED_SECRET = re.compile(
    r"(?i)\b([\w-]*(?:password|secret|token|authorization|api[_-]?key|credential)[\w-]*)(\"?\s*[=:]\s*)(\"[^\"]*\"|\S+)"
)


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The handler returned. Its effects wait for the transaction that completes the job."""

    job: Claimed
    kind: JobKind[Any]
    completion: Completion
    effects: Sequence[Effect]
    announcement: Event | None
    seconds: float
    finished: float
    """When (time.monotonic())."""
    story: dict[str, Any] = field(default_factory=dict)
    """The ids of its log lines."""

    @property
    def has_more(self) -> bool:
        """Whether more than its own row is written when the job completes."""
        return bool(self.effects) or self.announcement is not None or self.kind.concurrency_limit is not None


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed: for good, or to be tried again after a pause."""

    error: dict[str, Any]
    permanent: bool
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The handler stopped because somebody wanted it to."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The worker is stopping: the job goes back."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The job belongs to somebody else by now: nothing is written."""


type Outcome = Succeeded | Failed | Cancelled | Unfinished | Lost


def describe_error(error: BaseException, *, permanent: bool) -> dict[str, Any]:
    """An error as it is stored and shown: without the values of secrets, parameters or inputs."""
    return {
        "type": type(error).__name__,
        "message": _storable(without_secrets(_message(error)))[:MESSAGE_LIMIT],
        "permanent": permanent,
        "at": datetime.now(UTC).isoformat(),
    }


def without_secrets(message: str) -> str:
    """Takes passwords out of URLs, and the values of what is named like a secret."""
    return _NAMED_SECRET.sub(r"\1\2[hidden]", _URL_PASSWORD.sub("[hidden]", message))


def _storable(message: str) -> str:
    """PostgreSQL's jsonb takes neither NUL nor lone surrogates; an error must never fail to be written down."""
    return message.replace("\x00", "").encode("utf-8", "replace").decode()


def _message(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, problem['loc'])) or 'args'}: {problem['msg']}" for problem in problems)
    if isinstance(error, DBAPIError):
        return str(error.orig)  # its own text would show the statement's parameters
    return str(error)
