"""The kind webhook.deliver: posts one event to one subscription.

The body is the event, signed (webhooks/signature.py). `TaskHub-Delivery` is the job's id: the same at every attempt, so
a receiver that keeps the ids it has seen takes each event effectively once.

Failures: any answer but 2xx (redirects included, which are not followed) and no answer at all are tried again, 12 times
over some hours; 429 and 503 may name the pause in Retry-After. 410 disables the subscription. A URL that leads to a
private address makes the delivery dead at once. A subscription that did nothing but fail for
TASKHUB_WEBHOOK_DISABLE_AFTER_HOURS is disabled. When it is disabled or deleted, what waits for it ends undelivered.
"""

import time
import uuid
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import NoReturn

from pydantic import BaseModel

from taskhub_core.errors import InvalidInput, TaskHubError
from taskhub_core.events.schema import Event
from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.errors import PermanentError, RetryLater
from taskhub_core.jobs.registry import JobArgs, RetryPolicy, job_kind
from taskhub_core.webhooks import service
from taskhub_core.webhooks.addresses import AddressRefused, NameNotFound, read_url
from taskhub_core.webhooks.delivery import Answer, DeliveryFailed, post
from taskhub_core.webhooks.service import Recipient
from taskhub_core.webhooks.signature import HEADER, sign

MAX_RETRY_AFTER_SECONDS = 3_600.0
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_USER_AGENT = f"TaskHub/{version('taskhub-core')}"


class DeliverArgs(JobArgs):
    """Which subscription, and the event as it came through the queue."""

    webhook_id: uuid.UUID
    event: Event


class Delivered(BaseModel):
    """What the job gives back: delivered with this status, or why it was not."""

    delivered: bool
    status: int | None = None
    reason: str | None = None


@job_kind(
    "webhook.deliver",
    args=DeliverArgs,
    retry=RetryPolicy(max_attempts=12, base_seconds=5, cap_seconds=3_600),
    # A slow receiver holds a worker's slot for the whole timeout: some slots must stay free for other kinds.
    concurrency_limit=16,
    submitted_by="system",
)
def webhook_deliver(job: JobContext, args: DeliverArgs) -> Delivered:
    """Posts a signed event to a subscription's URL."""
    with job.engine.connect() as connection:
        recipient = service.recipient(connection, job.account_id, args.webhook_id)
    if recipient is None:
        return Delivered(delivered=False, reason="the subscription was deleted")
    if recipient.disabled:
        return Delivered(delivered=False, reason="the subscription is disabled")
    job.check()
    try:
        answer = _post(job, recipient, args.event)
    except (AddressRefused, InvalidInput) as error:
        _fail(job, args, PermanentError(str(error)))
    except (DeliveryFailed, NameNotFound) as error:
        _fail(job, args, RetryLater(str(error)))
    if answer.status == HTTPStatus.GONE:
        with job.step({"status": answer.status}) as connection:
            service.disable(connection, job.account_id, args.webhook_id)
        raise PermanentError("The receiver answered 410 Gone: the subscription is disabled.")
    if not 200 <= answer.status < 300:
        _fail(job, args, _refusal(answer))
    job.on_complete(lambda connection: service.record_success(connection, job.account_id, args.webhook_id))
    return Delivered(delivered=True, status=answer.status)


def _post(job: JobContext, recipient: Recipient, event: Event) -> Answer:
    body = event.model_dump_json(exclude={"context"}).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": _USER_AGENT,
        "TaskHub-Event": event.type,
        "TaskHub-Delivery": str(job.id),
        HEADER: sign(recipient.secret, body, at=int(time.time())),
    }
    return post(
        read_url(recipient.url),
        headers=headers,
        body=body,
        timeout_seconds=job.settings.webhook_timeout_seconds,
        allow_private=job.settings.webhook_allow_private_addresses,
    )


def _fail(job: JobContext, args: DeliverArgs, error: TaskHubError) -> NoReturn:
    """Counts the failure against the subscription and raises the error, or a permanent one if that disables it."""
    with job.step({"failed": job.claimed.tries}) as connection:
        disabled = service.record_failure(
            connection,
            job.account_id,
            args.webhook_id,
            disable_after_hours=job.settings.webhook_disable_after_hours,
        )
    if disabled:
        raise PermanentError(f"{error} The subscription is disabled after failing for too long.") from error
    raise error


def _refusal(answer: Answer) -> RetryLater:
    delay = _retry_after_seconds(answer.retry_after) if answer.status in _BUSY and answer.retry_after else None
    redirect = " Redirects are not followed." if 300 <= answer.status < 400 else ""
    return RetryLater(f"The receiver answered {answer.status}.{redirect}", delay_seconds=delay)


def _retry_after_seconds(value: str) -> float | None:
    """Seconds or an HTTP date, within bounds; None for what is neither."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:10])
    else:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 1.0), MAX_RETRY_AFTER_SECONDS)
