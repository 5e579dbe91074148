"""`taskhub-worker`: sets the stage that must stand before Celery and prometheus-client are imported, then runs."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taskhub_worker.cli import parse
from taskhub_worker.worker.settings import StampSettings, WorkerSettings


def main() -> None:
    """Runs the worker until SIGTERM. Exits with 0 after an orderly end."""
    parse("taskhub-worker", "Runs TaskHub's background jobs.", WorkerSettings)
    with _folder(StampSettings().stamp_dir) as folder:
        # Both are read when the libraries are imported, hence the late import.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder / "metrics")
        os.environ["REMAP_SIGTERM"] = "SIGQUIT"
        from taskhub_worker.worker.run import run

        status = run(folder)
    sys.exit(status)


@contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    folder = chosen or Path(tempfile.mkdtemp(prefix="taskhub-worker-"))
    metrics = folder / "metrics"
    # What an earlier worker left would be added to this one's numbers.
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    try:
        yield folder
    finally:
        if chosen is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
