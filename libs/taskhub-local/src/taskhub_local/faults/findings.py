"""What a verdict can find wrong."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """The kinds of broken promise."""

    LOST = "lost"
    """An acknowledged write, or a committed effect of an accepted job, is not there."""
    DOUBLED = "doubled"
    """Something happened twice."""
    UNFINISHED = "unfinished"
    """An accepted job has not ended."""
    UNEXPECTED = "unexpected"
    """Something is there that was refused, or that nobody asked for."""
    WRONG = "wrong"
    """It is there, but not as it should be."""
    STALE = "stale"
    """A derived view differs from PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise, as a sentence that names the culprit."""

    fault: Fault
    sentence: str
