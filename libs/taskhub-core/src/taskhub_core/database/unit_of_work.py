"""One unit of work = one transaction, repeated by itself when repeating can mend the failure (failure mode 3)."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from taskhub_core.database.failures import Failure, classify
from taskhub_core.errors import OutcomeUnknown, Unavailable
from taskhub_core.telemetry import metrics


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter, in seconds (Brooker, "Exponential Backoff And Jitter", AWS, 2015)."""

    base_seconds: float = 0.02
    cap_seconds: float = 0.5

    def delay(self, attempt: int) -> float:
        """How long to wait after the given failed attempt (1 is the first)."""
        ceiling = min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 60))
        return random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret


RETRIED = frozenset({Failure.UNAVAILABLE, Failure.CONFLICT})


def run[T](
    engine: Engine,
    work: Callable[[Connection], T],
    *,
    deadline_seconds: float = 10.0,
    repeat_unknown_commit: bool = False,
    backoff: Backoff = Backoff(),
) -> T:
    """Runs `work` in a transaction and returns what it returned, once it is committed.

    Connection losses, serialization failures and deadlocks are repeated until the deadline. `work` must therefore have
    no effect outside its connection. A connection lost during COMMIT leaves the outcome unknown; set
    `repeat_unknown_commit` only where running `work` a second time is harmless (fenced or keyed writes).

    Raises Unavailable when the deadline passes, OutcomeUnknown after an unknown COMMIT, and whatever `work` raises.
    """
    end = time.monotonic() + deadline_seconds
    attempt = 0
    while True:
        attempt += 1
        committing = False
        try:
            with engine.connect() as connection, connection.begin() as transaction:
                result = work(connection)
                committing = True
                transaction.commit()
                return result
        except (DBAPIError, PoolTimeout) as error:
            failure = classify(error)
            if committing and failure is Failure.UNAVAILABLE and not repeat_unknown_commit:
                raise OutcomeUnknown(
                    "The connection to PostgreSQL was lost while committing.", dependency="postgresql"
                ) from error
            if failure not in RETRIED:
                raise
            metrics.DATABASE_RETRIES.labels(reason=failure.value).inc()
            pause = backoff.delay(attempt)
            if time.monotonic() + pause >= end:
                raise Unavailable(
                    f"PostgreSQL did not answer in {deadline_seconds} s ({attempt} attempts).", dependency="postgresql"
                ) from error
            time.sleep(pause)
