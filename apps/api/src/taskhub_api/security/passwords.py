"""Passwords: argon2id in a few threads of its own: hashing takes neither the event loop nor all the memory."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from taskhub_api.problems import Problem
from taskhub_api.settings import ApiSettings
from taskhub_core.telemetry import metrics


def password_hasher(settings: ApiSettings) -> PasswordHasher:
    """argon2id with the parameters of today."""
    return PasswordHasher(
        time_cost=settings.password_time_cost,
        memory_cost=settings.password_memory_kib,
        parallelism=1,
        type=Type.ID,
    )


class Passwords:
    """Hashes and verifies passwords."""

    def __init__(self, settings: ApiSettings) -> None:
        self._hasher = password_hasher(settings)
        self._threads = ThreadPoolExecutor(settings.password_hashes_at_once, "passwords")
        self._most_waiting = settings.password_hashes_at_once * 20
        self._in_progress = 0
        self._nobodys_hash = self._hasher.hash("the password of no account")

    async def hash(self, password: str) -> str:
        """The hash to store. Raises Problem overloaded when too many passwords wait."""
        return await self._run(self._hasher.hash, password)

    async def verify(self, stored_hash: str | None, password: str) -> bool:
        """Whether the password is the one that was hashed. Without a hash it takes as long, and is False.

        Raises Problem overloaded when too many passwords wait.
        """
        matches = await self._run(self._matches, stored_hash or self._nobodys_hash, password)
        return matches and stored_hash is not None

    def needs_rehash(self, stored_hash: str) -> bool:
        """Whether the hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(stored_hash)

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, stored_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored_hash, password)
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError):
            return False  # a hash that is not argon2's locks its account, and nothing else

    async def _run[**P, T](self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._in_progress >= self._most_waiting:
            metrics.REQUESTS_SHED.labels(reason="passwords").inc()
            raise Problem("overloaded", "Too many passwords wait to be checked.", {"Retry-After": "1"})
        self._in_progress += 1
        future = self._threads.submit(work, *args, **kwargs)
        try:
            return await asyncio.wrap_future(future)
        finally:
            self._in_progress -= 1
