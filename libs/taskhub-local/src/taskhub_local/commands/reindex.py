"""`taskhub reindex`: has the platform build its search index anew, and shows the progress."""

from pathlib import Path

from rich.console import Console

from taskhub_local.commands.after_restore import rebuild_index
from taskhub_local.demo.client import Api
from taskhub_local.demo.report import Report
from taskhub_local.platform.runfile import read_run


def reindex(state: Path) -> int:
    """Submit the job as the operator and follow it to its end.

    Raises NotRunningError if no platform runs, and DemoError if the job does not succeed.
    """
    run = read_run(state)
    api = Api(run.api_url)
    try:
        api.log_in(run.operator.email, run.operator.password)
        rebuild_index(api, Report(Console(highlight=False)))
    finally:
        api.close()
    return 0
