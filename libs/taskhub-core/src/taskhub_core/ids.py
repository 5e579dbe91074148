"""Identifiers: UUID version 7 (RFC 9562), so that rows of one time lie together in their indexes."""

import uuid

from uuid_utils.compat import uuid7

NAMESPACE = uuid.UUID("6f1c1d0e-5a86-4c53-9d1f-7c1f4b8f3a10")


def new_id() -> uuid.UUID:
    """A fresh, time-ordered identifier."""
    return uuid7()


def derived_id(*parts: object) -> uuid.UUID:
    """The same identifier for the same parts, every time: how a repeated step finds what it made before."""
    return uuid.uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts))
