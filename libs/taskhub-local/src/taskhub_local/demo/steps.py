"""The steps of the demo, each one promise of the platform, checked."""

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from taskhub_local.demo.client import Api, DemoError
from taskhub_local.demo.counting import count_tasks
from taskhub_local.demo.receiver import Receiver
from taskhub_local.demo.report import Report
from taskhub_local.samples import SAMPLES, Sample

# Generous: right after `make up` Elasticsearch may still be starting, or even be on its way from Maven.
_WAIT_SECONDS = 180.0
_POLL_SECONDS = 0.2


def wait_until[T](what: str, look: Callable[[], T | None]) -> T:
    """Look again and again until there is something. Raises DemoError, naming what was missing, after three minutes."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise DemoError(f"{what} did not come within {_WAIT_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def import_sample(api: Api, report: Report, sample: Sample) -> None:
    """Upload a file, import it with a progress bar, and compare the counts."""
    with report.step(f"import {sample.name}") as step:
        file_id = api.upload(sample.name, sample.content_type, sample.read())
        job_id = api.submit("tasks.import", {"file_id": file_id, "format": sample.format})
        report.follow(api, job_id, sample.name)
        result = api.result(job_id)
        counts = (result["imported"], result["rejected"])
        if counts != (sample.accepted, sample.rejected):
            raise DemoError(f"{sample.name}: {counts} imported and rejected, not {(sample.accepted, sample.rejected)}")
        step.result = f"{result['imported']} tasks"
        if sample.rejected:
            step.result += f", {result['rejected']} rows rejected with reasons"
            for row in csv.DictReader(
                io.StringIO(api.download(result["report_file_id"]).decode("utf-8-sig"), newline="")
            ):
                report.note(f"line {row['line']}: {row['reason']}")


def import_again(api: Api, report: Report, sample: Sample) -> None:
    """Import the same file once more: nothing may come twice."""
    with report.step(f"import {sample.name} again") as step:
        file_id = api.upload(sample.name, sample.content_type, sample.read())
        job_id = api.submit("tasks.import", {"file_id": file_id, "format": sample.format})
        report.follow(api, job_id, sample.name)
        result = api.result(job_id)
        if result["imported"] or result["updated"]:
            raise DemoError(f"the same file changed something the second time: {result}")
        step.result = f"nothing twice: {result['unchanged']} tasks were there already"


def search(api: Api, report: Report, query: str, expected: str, *, typos: bool) -> None:
    """Search until the expected task is found (an index follows its source), and say who answered."""
    with report.step(f"search {'with typos' if typos else 'by prefix'}: {query}") as step:

        def look() -> dict[str, Any] | None:
            answer = api.get("/v1/search", q=query)
            found = any(expected in hit["task"]["title"] for hit in answer["items"])
            return answer if found or (typos and _has_no_index(answer)) else None

        answer = wait_until(f"a task named {expected!r} in the search for {query!r}", look)
        if typos and _has_no_index(answer):
            step.result = "left out: there is no Elasticsearch here, and PostgreSQL does not forgive typos"
            return
        step.result = f"{answer['items'][0]['task']['title']!r} first, from {answer['source']}"
        if answer["degraded"]:
            step.result += f" (degraded: {answer['reason']})"


def _has_no_index(answer: dict[str, Any]) -> bool:
    return bool(answer["source"] == "postgresql" and not answer["degraded"])


def change_with_etag(api: Api, report: Report) -> str:
    """Change a task at the version that was read; then show that an old version is refused. Return its title."""
    with report.step("change a task, guarded by its ETag") as step:
        task = api.get("/v1/tasks", tag="security", limit=1)["items"][0]
        path = f"/v1/tasks/{task['id']}"
        etag = api.call("GET", path, 200).headers["ETag"]
        changed = api.call("PATCH", path, 200, json={"status": "in_progress"}, headers={"If-Match": etag})
        api.call("PATCH", path, 412, json={"status": "done"}, headers={"If-Match": etag})
        step.result = f"{etag} became {changed.headers['ETag']}; the old one is refused (412)"
        return str(task["title"])


def check_webhook(report: Report, receiver: Receiver, secret: str, title: str) -> None:
    """Wait for the delivery about that task and verify its signature."""
    with report.step("signed webhook delivery") as step:

        def look() -> str | None:
            delivery = receiver.next(timeout_seconds=1.0)
            if delivery is None:
                return None
            if not delivery.verified(secret):
                raise DemoError(f"a delivery is not signed with the subscription's secret: {delivery.signature}")
            if delivery.verified("another secret"):
                raise DemoError("a delivery counts as signed whatever the secret")
            event = json.loads(delivery.body)
            return str(event["type"]) if title in str(event.get("data")) else None

        step.result = f"{wait_until('the webhook delivery', look)}, signature verified"


def export_all(api: Api, report: Report) -> None:
    """Export to each format and count what the files hold."""
    total = sum(sample.accepted for sample in SAMPLES)
    for sample in SAMPLES:
        with report.step(f"export as {sample.format}") as step:
            job_id = api.submit("tasks.export", {"format": sample.format})
            report.follow(api, job_id, sample.format)
            result = api.result(job_id)
            content = api.download(result["file_id"])
            held = count_tasks(sample.format, content)
            if not held == result["exported"] == total:
                raise DemoError(f"the {sample.format} file holds {held} of {total} tasks ({result['exported']} said)")
            step.result = f"{held} tasks, {len(content):,} bytes; the counts agree"


def check_mail(report: Report, mail_url: str, email: str) -> None:
    """Wait for the welcome mail."""
    with report.step("welcome mail") as step:

        def look() -> str | None:
            mails = httpx.get(f"{mail_url}/messages", timeout=10).raise_for_status().json()
            return next((str(mail["subject"]) for mail in mails if email in mail["to"]), None)

        step.result = f"{wait_until('the welcome mail', look)!r} arrived; read it at {mail_url}"


def check_feed(api: Api, report: Report, title: str) -> None:
    """Wait until the activity feed has the change, and summarise the feed."""
    with report.step("activity feed") as step:

        def look() -> Counter[str] | None:
            items = api.get("/v1/events", limit=100)["items"]
            seen = any(item["type"] == "task.updated" and title in item["summary"] for item in items)
            return Counter(item["type"] for item in items) if seen else None

        newest = wait_until("the change in the activity feed", look)
        step.result = "newest 100: " + ", ".join(f"{count} {kind}" for kind, count in sorted(newest.items()))
