"""`taskhub reindex`: has the platform build its search index anew, and shows the progress."""

from pathlib import Path

from rich.console import Console

from taskhub_local.demo.client import Api
from taskhub_local.demo.report import Report
from taskhub_local.platform.runfile import read_run


def reindex(state: Path) -> int:
    """Submit the job as the operator and follow it to its end.

    Raises NotRunningError if no platform runs, and DemoError if the job does not succeed.
    """
    run = read_run(state)
    report = Report(Console(highlight=False))
    api = Api(run.api_url)
    try:
        api.log_in(run.operator.email, run.operator.password)
        with report.step("search.reindex") as step:
            job_id = api.submit("search.reindex", {})
            report.follow(api, job_id, "search.reindex")
            step.result = ", ".join(f"{name} {value}" for name, value in (api.result(job_id) or {}).items())
    finally:
        api.close()
    return 0
