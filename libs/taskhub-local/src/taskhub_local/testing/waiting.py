"""Waits for a condition with a deadline: what tests do instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable

_POLL_SECONDS = 0.02


def wait_for[T](condition: Callable[[], T], *, deadline_seconds: float = 10.0, message: str = "") -> T:
    """Call the condition until it returns something true, and return that.

    Raises AssertionError with the message and the condition's last value after `deadline_seconds`.
    """
    deadline = time.monotonic() + deadline_seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(_complaint(message, deadline_seconds, value))
        time.sleep(_POLL_SECONDS)


async def wait_for_async[T](
    condition: Callable[[], Awaitable[T]], *, deadline_seconds: float = 10.0, message: str = ""
) -> T:
    """Do as `wait_for` does, for a condition that is awaited."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        value = await condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(_complaint(message, deadline_seconds, value))
        await asyncio.sleep(_POLL_SECONDS)


def _complaint(message: str, seconds: float, value: object) -> str:
    return f"{message or 'the condition did not come true'} (waited {seconds:g} s; last value: {value!r})"
