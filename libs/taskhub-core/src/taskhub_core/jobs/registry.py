"""The kinds of jobs: each is one small function with a typed argument model, registered where it is written."""

import importlib
import pkgutil
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict

from taskhub_core.errors import TaskHubError

if TYPE_CHECKING:
    from taskhub_core.jobs.context import JobContext


class UnknownKind(TaskHubError):
    """No job kind has this name here."""


class JobArgs(BaseModel):
    """The base of every kind's argument model: unknown fields are refused rather than ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoArgs(JobArgs):
    """For kinds that take no arguments."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after which pause a failed job is tried again: exponential backoff with full jitter."""

    max_attempts: int = 5
    base_seconds: float = 2.0
    cap_seconds: float = 300.0

    def delay(self, attempt: int) -> float:
        """Seconds to wait after the given failed attempt (1 is the first)."""
        ceiling = min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 60))
        return random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret


type Handler[A: JobArgs] = Callable[["JobContext", A], BaseModel | dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class JobKind[A: JobArgs]:
    """All that the engine knows about a kind of job."""

    name: str
    args: type[A]
    handler: Handler[A]
    retry: RetryPolicy
    soft_limit_seconds: float
    hard_limit_seconds: float
    batch_size: int
    concurrency_limit: int | None
    submitted_by: str
    announces: bool

    def parse(self, args: dict[str, Any]) -> A:
        """The typed arguments. Raises pydantic.ValidationError."""
        return self.args.model_validate(args)


@dataclass(slots=True)
class Registry:
    """The kinds that this process knows."""

    _kinds: dict[str, JobKind[Any]] = field(default_factory=dict)

    def kind[A: JobArgs](
        self,
        name: str,
        *,
        args: type[A],
        retry: RetryPolicy = RetryPolicy(),
        soft_limit_seconds: float = 60.0,
        hard_limit_seconds: float | None = None,
        batch_size: int = 1,
        concurrency_limit: int | None = None,
        submitted_by: str = "user",
        announces: bool = False,
    ) -> Callable[[Handler[A]], Handler[A]]:
        """Registers the decorated function as the handler of a kind.

        soft_limit_seconds: SoftLimitExceeded is raised in the handler and the attempt fails.
        hard_limit_seconds: the worker process is replaced (default: soft limit + 15 s).
        batch_size: how many jobs of this kind one worker may claim at once; more than 1 only for very short jobs.
        concurrency_limit: how many jobs of this kind may be dispatched or running at a time, over all workers.
        submitted_by: "user", "operator", or "system" (only TaskHub itself submits it).
        announces: whether its end is an event for the account's feed and webhooks.
        """

        def register(handler: Handler[A]) -> Handler[A]:
            if name in self._kinds and self._kinds[name].handler is not handler:
                raise ValueError(f"two job kinds are named {name!r}")
            hard = soft_limit_seconds + 15.0 if hard_limit_seconds is None else hard_limit_seconds
            self._kinds[name] = JobKind(
                name,
                args,
                handler,
                retry,
                soft_limit_seconds,
                hard,
                batch_size,
                concurrency_limit,
                submitted_by,
                announces,
            )
            return handler

        return register

    def get(self, name: str) -> JobKind[Any]:
        """The kind of that name. Raises UnknownKind."""
        try:
            return self._kinds[name]
        except KeyError:
            raise UnknownKind(f"There is no job kind {name!r}. Known: {', '.join(sorted(self._kinds))}.") from None

    def all(self) -> list[JobKind[Any]]:
        """Every kind, by name."""
        return [self._kinds[name] for name in sorted(self._kinds)]

    def load(self, modules: Sequence[str] = ()) -> Self:
        """Imports every module of taskhub_core.jobs.kinds, and the modules named, so that their kinds register."""
        from taskhub_core.jobs import kinds

        for module in pkgutil.iter_modules(kinds.__path__):
            importlib.import_module(f"{kinds.__name__}.{module.name}")
        for name in modules:
            importlib.import_module(name)
        return self


registry = Registry()
"""The registry of this process. Kinds register on import; `registry.load()` imports them."""

job_kind = registry.kind
