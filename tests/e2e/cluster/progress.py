"""Says what is being done, with the seconds since the start."""

import sys
import threading
import time

_started = time.monotonic()
_lock = threading.Lock()


def elapsed() -> float:
    """Seconds since this process began."""
    return time.monotonic() - _started


def say(text: str) -> None:
    """Print one line for the person who waits."""
    with _lock:
        sys.stdout.write(f"[{elapsed():5.0f} s] {text}\n")
        sys.stdout.flush()
