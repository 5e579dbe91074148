"""Identifiers: UUID version 7 (RFC 9562), so that rows of one time lie together in their indexes."""

import uuid
from datetime import datetime

from uuid_utils.compat import uuid7

NAMESPACE = uuid.UUID("6f1c1d0e-5a86-4c53-9d1f-7c1f4b8f3a10")


def new_id() -> uuid.UUID:
    """A fresh, time-ordered identifier."""
    return uuid7()


def derived_id(*parts: object) -> uuid.UUID:
    """The same identifier for the same parts, every time: how a repeated step finds what it made before."""
    return uuid.uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts))


def numbered_id(at: datetime, number: int, *parts: object) -> uuid.UUID:
    """A derived identifier that is time-ordered, too: by `at` in milliseconds, then by `number` (0 to 131,071)."""
    random_bits = derived_id(number, *parts).int & ((1 << 57) - 1)
    value = (int(at.timestamp() * 1_000) & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76 | (number >> 5) << 64  # version 7, and the number where others have random bits
    value |= 0b10 << 62 | (number & 31) << 57 | random_bits
    return uuid.UUID(int=value)
