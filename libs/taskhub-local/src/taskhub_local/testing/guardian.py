"""Stops a test run's servers when the run is killed and cannot do it itself."""

import signal
import sys
import time
from pathlib import Path

from taskhub_local.testing.shared import is_alive, stop_all


def main() -> None:
    """Watch the owner (first argument: its pid) of the servers' folder (second argument) until either is gone."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    owner, folder = int(sys.argv[1]), Path(sys.argv[2])
    while folder.exists():
        if not is_alive(owner):
            stop_all(folder)
            return
        time.sleep(1.0)


if __name__ == "__main__":
    main()
