"""`taskhub-dispatcher`: hands due jobs to the broker and events to SQS, and mends what was lost."""

import sys

from taskhub_worker.cli import parse
from taskhub_worker.dispatcher.settings import DispatcherSettings


def main() -> None:
    """Runs the dispatcher until SIGTERM. Exits with 0 after an orderly end."""
    parse("taskhub-dispatcher", "Feeds TaskHub's workers and event queue from PostgreSQL.", DispatcherSettings)
    from taskhub_worker.dispatcher.run import run

    sys.exit(run())


if __name__ == "__main__":
    main()
