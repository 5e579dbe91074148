"""What webhook.deliver promises: signed, keyed, retried, and ended when nobody listens any more."""

import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from taskhub_core.events.schema import TASK_CREATED, event
from taskhub_core.ids import new_id
from taskhub_core.jobs.errors import PermanentError, RetryLater
from taskhub_core.jobs.kinds.webhook_deliver import MAX_RETRY_AFTER_SECONDS
from taskhub_core.jobs.states import JobState
from taskhub_core.webhooks import service
from taskhub_core.webhooks.service import NewWebhook, Webhook
from taskhub_core.webhooks.signature import verify

type Subscribe = Callable[..., NewWebhook]


@pytest.fixture
def subscribe(engine: Engine, account_id: uuid.UUID, receiver: Any) -> Subscribe:
    def subscribe(owner: uuid.UUID = account_id, url: str | None = None) -> NewWebhook:
        with engine.begin() as connection:
            return service.create(
                connection, owner, url=url or receiver.url, event_types=(), allow_private_addresses=True
            )

    return subscribe


def _args(made: NewWebhook) -> dict[str, Any]:
    happened = event(
        TASK_CREATED,
        account_id=made.webhook.account_id,
        subject_id=new_id(),
        version=1,
        summary="Created “Tea”",
        at=datetime.now(UTC),
        data={"title": "Tea", "tags": ["home"]},
    )
    message = happened.model_copy(update={"context": {"request_id": "inside-only"}}).model_dump(mode="json")
    return {"webhook_id": str(made.webhook.id), "event": message}


def _deliver(jobs: Any, made: NewWebhook) -> Any:
    return jobs.run(made.webhook.account_id, "webhook.deliver", **_args(made))


def _now(engine: Engine, made: NewWebhook) -> Webhook:
    with engine.connect() as connection:
        return service.get(connection, made.webhook.account_id, made.webhook.id)


def _set(engine: Engine, column: str, hours_ago: float) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(f"UPDATE webhooks SET {column} = now() - make_interval(secs => :seconds)"),
            {"seconds": hours_ago * 3_600},
        )


def test_a_delivery_is_signed_and_carries_its_key(
    jobs: Any, account_id: uuid.UUID, subscribe: Subscribe, receiver: Any
) -> None:
    made = subscribe()
    args = _args(made)
    job_id = jobs.submit(account_id, "webhook.deliver", **args)
    receiver.status = 500
    with pytest.raises(RetryLater):
        jobs.attempt(job_id)
    receiver.status = 204
    assert jobs.attempt(job_id) == {"delivered": True, "status": 204, "reason": None}
    first, second = receiver.requests
    assert first.headers["TaskHub-Delivery"] == second.headers["TaskHub-Delivery"] == str(job_id)
    assert first.body == second.body
    assert second.headers["Content-Type"] == "application/json"
    assert second.headers["TaskHub-Event"] == "task.created"
    assert second.headers["User-Agent"].startswith("TaskHub/")
    verify(made.secret, second.body, second.headers["TaskHub-Signature"], now=time.time())
    body = json.loads(second.body)
    assert "context" not in body
    assert body["event_id"] == args["event"]["event_id"]
    assert body["data"] == {"title": "Tea", "tags": ["home"]}
    assert body["summary"] == "Created “Tea”"


def test_a_success_ends_the_series_of_failures_that_the_first_failure_began(
    jobs: Any, engine: Engine, subscribe: Subscribe, receiver: Any
) -> None:
    made = subscribe()
    receiver.status = 500
    with pytest.raises(RetryLater, match="answered 500"):
        _deliver(jobs, made)
    began = _now(engine, made).failing_since
    assert began is not None
    with pytest.raises(RetryLater):
        _deliver(jobs, made)
    assert _now(engine, made).failing_since == began
    receiver.status = 200
    _deliver(jobs, made)
    assert _now(engine, made).failing_since is None


def test_a_subscription_that_failed_for_too_long_is_disabled_and_gets_no_more(
    jobs: Any, engine: Engine, subscribe: Subscribe, receiver: Any
) -> None:
    made = subscribe()
    _set(engine, "failing_since", hours_ago=23.9)
    receiver.status = 500
    with pytest.raises(RetryLater):
        _deliver(jobs, made)
    _set(engine, "failing_since", hours_ago=24.1)
    job_id = jobs.submit(made.webhook.account_id, "webhook.deliver", **_args(made))
    with pytest.raises(PermanentError, match="disabled after failing for too long"):
        jobs.attempt(job_id)
    assert jobs.get(job_id).state is JobState.DEAD
    disabled = _now(engine, made)
    assert disabled.disabled_at is not None
    received = len(receiver.requests)
    assert _deliver(jobs, made) == {"delivered": False, "status": None, "reason": "the subscription is disabled"}
    assert len(receiver.requests) == received
    with engine.begin() as connection:
        service.enable(connection, made.webhook.account_id, made.webhook.id)
    receiver.status = 200
    assert _deliver(jobs, made)["delivered"] is True


def test_gone_disables_at_once(jobs: Any, engine: Engine, subscribe: Subscribe, receiver: Any) -> None:
    made = subscribe()
    receiver.status = 410
    with pytest.raises(PermanentError, match="410"):
        _deliver(jobs, made)
    assert _now(engine, made).disabled_at is not None


def test_a_deleted_or_foreign_subscription_gets_nothing(
    jobs: Any, engine: Engine, make_account: Any, subscribe: Subscribe, receiver: Any
) -> None:
    made = subscribe()
    expected = {"delivered": False, "status": None, "reason": "the subscription was deleted"}
    assert jobs.run(make_account(), "webhook.deliver", **_args(made)) == expected
    with engine.begin() as connection:
        service.delete(connection, made.webhook.account_id, made.webhook.id)
    assert _deliver(jobs, made) == expected
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("status", "value", "low", "high"),
    [
        (429, "7", 7, 7),
        (503, " 120 ", 120, 120),
        (503, "0", 1, 1),
        (429, "99999999999999999999", MAX_RETRY_AFTER_SECONDS, MAX_RETRY_AFTER_SECONDS),
        (429, timedelta(seconds=600), 300, 600),
        (429, timedelta(seconds=-600), 1, 1),
        (429, "Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_SECONDS, MAX_RETRY_AFTER_SECONDS),
    ],
)
def test_retry_after_is_honoured_within_bounds(
    jobs: Any, subscribe: Subscribe, receiver: Any, status: int, value: str | timedelta, low: float, high: float
) -> None:
    header = value if isinstance(value, str) else format_datetime(datetime.now(UTC) + value, usegmt=True)
    receiver.status, receiver.headers = status, {"Retry-After": header}
    with pytest.raises(RetryLater) as later:
        _deliver(jobs, subscribe())
    assert low <= (later.value.delay_seconds or 0) <= high


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (301, {"Location": "http://127.0.0.1/"}),
        (302, {"Location": "http://169.254.169.254/"}),
        (400, {}),
        (401, {}),
        (404, {}),
        (429, {"Retry-After": "soon"}),
        (429, {"Retry-After": "-5"}),
        (500, {"Retry-After": "5"}),
        (503, {}),
    ],
)
def test_any_other_refusal_is_retried_by_the_kinds_own_backoff(
    jobs: Any, engine: Engine, subscribe: Subscribe, receiver: Any, status: int, headers: dict[str, str]
) -> None:
    receiver.status, receiver.headers = status, headers
    made = subscribe()
    with pytest.raises(RetryLater, match=f"answered {status}") as later:
        _deliver(jobs, made)
    assert later.value.delay_seconds is None
    assert len(receiver.requests) == 1
    assert _now(engine, made).failing_since is not None


def test_private_addresses_are_refused_for_good_when_the_setting_forbids_them(
    jobs: Any, engine: Engine, subscribe: Subscribe, receiver: Any
) -> None:
    made = subscribe()
    with pytest.raises(PermanentError, match="public internet"):
        _deliver(jobs.with_settings(webhook_allow_private_addresses=False), made)
    assert receiver.requests == []
    assert _now(engine, made).failing_since is not None


def test_silence_and_closed_ports_are_retried_and_nothing_secret_is_told(
    jobs: Any, engine: Engine, subscribe: Subscribe, receiver: Any
) -> None:
    made = subscribe()
    receiver.behave = lambda _: receiver.stopped.wait(20)
    with pytest.raises(RetryLater, match=r"did not answer in 0\.3 s") as later:
        _deliver(jobs.with_settings(webhook_timeout_seconds=0.3), made)
    receiver.stopped.set()
    for hidden in (made.secret, "in-the-url", "/hook"):
        assert hidden not in str(later.value)
    with pytest.raises(RetryLater, match="failed: ConnectError"):
        _deliver(jobs, subscribe(url="http://127.0.0.1:1/"))
    with pytest.raises(RetryLater, match="cannot be resolved"):
        _deliver(jobs, subscribe(url="http://hooks.invalid/"))


def test_twelve_attempts_and_then_dead(jobs: Any, subscribe: Subscribe, receiver: Any) -> None:
    made = subscribe()
    receiver.status = 500
    job_id = jobs.submit(made.webhook.account_id, "webhook.deliver", **_args(made))
    for _ in range(12):
        with pytest.raises(RetryLater):
            jobs.attempt(job_id)
    assert jobs.get(job_id).state is JobState.DEAD
    assert len(receiver.requests) == 12
