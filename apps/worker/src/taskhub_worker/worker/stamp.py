"""The progress stamp as a file: liveness for exec probes, and for /livez."""

import time
from pathlib import Path

_TOUCH_EVERY_SECONDS = 1.0


class FileStamp:
    """A file whose age says how long ago the loop came round."""

    def __init__(self, path: Path, *, max_age_seconds: float) -> None:
        self._path = path
        self._max_age_seconds = max_age_seconds
        self._touched = 0.0
        self.touch()

    def touch(self) -> None:
        """The loop came round. Cheap enough for every round: the file is touched once a second."""
        now = time.monotonic()
        if now - self._touched >= _TOUCH_EVERY_SECONDS:
            self._touched = now
            self._path.touch()

    def check(self) -> str | None:
        """Says how old the stamp is, once it is too old."""
        age = time.monotonic() - self._touched
        return None if age <= self._max_age_seconds else f"the worker's loop made no progress for {age:.0f} s"
