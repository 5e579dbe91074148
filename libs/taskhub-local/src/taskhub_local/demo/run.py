"""Runs the steps in order against the platform that run.json names."""

import secrets
from pathlib import Path

from rich.console import Console

from taskhub_local.demo import steps
from taskhub_local.demo.client import Api
from taskhub_local.demo.receiver import Receiver
from taskhub_local.demo.report import Report
from taskhub_local.platform.runfile import read_run
from taskhub_local.samples import SAMPLES


def demo(state: Path) -> int:
    """Drive the main job end to end; return 0 if every promise held.

    Raises NotRunningError if no platform runs, and DemoError at the first promise that did not hold.
    """
    run = read_run(state)
    console = Console(highlight=False, soft_wrap=True)
    report = Report(console)
    api = Api(run.api_url)
    try:
        with Receiver() as receiver:
            _drive(api, report, receiver, mail_url=run.urls["Mail"])
    finally:
        api.close()
    console.print()
    console.print(report.table())
    return 0


def _drive(api: Api, report: Report, receiver: Receiver, *, mail_url: str) -> None:
    email = f"demo-{secrets.token_hex(4)}@example.com"
    with report.step("register and log in") as step:
        password = secrets.token_urlsafe(12)
        api.register(email, password)
        api.log_in(email, password)
        step.result = email
    with report.step("subscribe a webhook") as step:
        wanted = {"url": receiver.url, "event_types": ["task.updated"]}
        subscription = api.call("POST", "/v1/webhooks", 201, json=wanted).json()
        step.result = f"{', '.join(wanted['event_types'])} to {receiver.url}"
    for sample in SAMPLES:
        steps.import_sample(api, report, sample)
    steps.import_again(api, report, SAMPLES[-1])
    steps.search(api, report, "passprots sumer", "Renew the passports", typos=True)
    steps.search(api, report, "greenh", "greenhouse", typos=False)
    title = steps.change_with_etag(api, report)
    steps.check_webhook(report, receiver, subscription["secret"], title)
    steps.export_all(api, report)
    steps.check_mail(report, mail_url, email)
    steps.check_feed(api, report, title)
