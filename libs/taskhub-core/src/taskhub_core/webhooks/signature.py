"""Signs a delivery, so that its receiver can tell who sent it, that nothing was changed, and that it is not old."""

import hashlib
import hmac

from taskhub_core.errors import TaskHubError

HEADER = "TaskHub-Signature"
TOLERANCE_SECONDS = 300
_HEADER_CHARS = 1_000


class BadSignature(TaskHubError):
    """The signature is missing, malformed, too old or not made with this secret for this body."""


def sign(secret: str, body: bytes, *, at: int) -> str:
    """The header's value: `t=<Unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`."""
    return f"t={at},v1={_hmac(secret, body, at)}"


def verify(secret: str, body: bytes, header: str, *, now: float, tolerance_seconds: float = TOLERANCE_SECONDS) -> None:
    """What a receiver does, with the body's bytes as they came. Raises BadSignature.

    The time is part of what is signed: a recorded delivery cannot be sent again after `tolerance_seconds`.
    """
    if len(header) > _HEADER_CHARS:
        raise BadSignature(f"The {HEADER} header is too long.")
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not signatures or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 15):
        raise BadSignature(f"The {HEADER} header does not read t=<seconds>,v1=<signature>.")
    at = int(times[0])
    if abs(now - at) > tolerance_seconds:
        raise BadSignature("The delivery was signed too long ago, or the clocks differ.")
    expected = _hmac(secret, body, at).encode()
    # Compared in constant time; every v1 counts, so that a secret can be exchanged without a gap.
    if not any(hmac.compare_digest(expected, given.encode(errors="replace")) for given in signatures):
        raise BadSignature("The signature was not made with this secret for this body.")


def _hmac(secret: str, body: bytes, at: int) -> str:
    return hmac.new(secret.encode(), b"%d.%b" % (at, body), hashlib.sha256).hexdigest()
