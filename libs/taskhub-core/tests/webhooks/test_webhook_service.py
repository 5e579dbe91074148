"""Subscriptions: what can be made, who sees them, and the secret that is shown once."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from taskhub_core.errors import Conflict, InvalidInput, NotFound
from taskhub_core.events.schema import EVENT_TYPES
from taskhub_core.ids import new_id
from taskhub_core.webhooks import service
from taskhub_core.webhooks.service import MAX_PER_ACCOUNT, NewWebhook
from taskhub_local.testing import wait_for


def _create(engine: Engine, account_id: uuid.UUID, url: str = "https://hooks.example/x", **options: Any) -> NewWebhook:
    options = {"event_types": (), "allow_private_addresses": False, **options}
    with engine.begin() as connection:
        return service.create(connection, account_id, url=url, **options)


def test_the_secret_is_given_once_and_differs(engine: Engine, account_id: uuid.UUID) -> None:
    made = [_create(engine, account_id) for _ in range(2)]
    assert made[0].secret.startswith("whsec_")
    assert len(made[0].secret) > 40
    assert made[0].secret != made[1].secret
    with engine.connect() as connection:
        listed = service.list_webhooks(connection, account_id)
    assert listed == [each.webhook for each in made]
    assert not any(made[0].secret in repr(webhook) for webhook in listed)


def test_event_types_are_checked_and_kept_once(engine: Engine, account_id: uuid.UUID) -> None:
    assert _create(engine, account_id, event_types=[*EVENT_TYPES, EVENT_TYPES[0]]).webhook.event_types == EVENT_TYPES
    with pytest.raises(InvalidInput, match=r"'task\.exploded'") as refused:
        _create(engine, account_id, event_types=["task.created", "task.exploded"])
    assert refused.value.field == "event_types"


def test_private_addresses_need_the_setting(engine: Engine, account_id: uuid.UUID) -> None:
    with pytest.raises(InvalidInput) as refused:
        _create(engine, account_id, url="http://127.0.0.1:9/")
    assert refused.value.field == "url"
    assert _create(engine, account_id, url="http://127.0.0.1:9/", allow_private_addresses=True).webhook.url


def test_there_is_a_limit_also_for_requests_at_the_same_time(engine: Engine, account_id: uuid.UUID) -> None:
    for _ in range(MAX_PER_ACCOUNT - 1):
        _create(engine, account_id)
    with ThreadPoolExecutor(1) as other, engine.begin() as connection:
        options = {"url": "https://hooks.example/", "event_types": (), "allow_private_addresses": False}
        service.create(connection, account_id, **options)
        second = other.submit(_create, engine, account_id)
        wait_for(lambda: second.done() or _is_waiting(engine), message="the second request neither waits nor ends")
        connection.commit()
        with pytest.raises(Conflict, match="20 webhooks"):
            second.result(10)
    with engine.connect() as connection:
        assert len(service.list_webhooks(connection, account_id)) == MAX_PER_ACCOUNT


def _is_waiting(engine: Engine) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'FOR NO KEY UPDATE'"
    with engine.connect() as connection:
        return bool(connection.execute(text(query)).scalar())


def test_other_accounts_webhooks_do_not_exist(engine: Engine, account_id: uuid.UUID, make_account: Any) -> None:
    theirs = _create(engine, make_account()).webhook.id
    with engine.begin() as connection:
        assert service.list_webhooks(connection, account_id) == []
        assert service.recipient(connection, account_id, theirs) is None
        for webhook_id in (theirs, new_id()):
            for operation in (service.get, service.delete, service.enable):
                with pytest.raises(NotFound):
                    operation(connection, account_id, webhook_id)


def test_enabling_clears_the_record_and_deleting_ends_it(engine: Engine, account_id: uuid.UUID) -> None:
    webhook_id = _create(engine, account_id).webhook.id
    with engine.begin() as connection:
        connection.execute(text("UPDATE webhooks SET disabled_at = now(), failing_since = now()"))
        enabled = service.enable(connection, account_id, webhook_id)
        assert (enabled.disabled_at, enabled.failing_since) == (None, None)
        assert service.get(connection, account_id, webhook_id) == enabled
        service.delete(connection, account_id, webhook_id)
        with pytest.raises(NotFound):
            service.get(connection, account_id, webhook_id)
