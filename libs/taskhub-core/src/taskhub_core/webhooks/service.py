"""What can be done with webhook subscriptions, and what their deliveries record about them."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from taskhub_core.errors import Conflict, InvalidInput, NotFound
from taskhub_core.events.schema import EVENT_TYPES
from taskhub_core.ids import new_id
from taskhub_core.telemetry import metrics
from taskhub_core.webhooks.addresses import AddressRefused, check_literal, read_url

MAX_PER_ACCOUNT = 20
_SECRET_PREFIX = "whsec_"  # noqa: S105 - tells people and secret scanners what the rest is


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription as its owner sees it; the secret is shown only when it is made."""

    id: uuid.UUID
    account_id: uuid.UUID
    url: str
    event_types: tuple[str, ...]
    """Empty: every type."""
    failing_since: datetime | None
    disabled_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A subscription that was just made, with the secret that signs its deliveries."""

    webhook: Webhook
    secret: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a delivery needs to know of its subscription."""

    url: str
    secret: str
    disabled: bool


_COLUMNS = "id, account_id, url, event_types, failing_since, disabled_at, created_at"
# The account's row is the lock under which its subscriptions are counted.
_LOCK = text("SELECT 1 FROM accounts WHERE id = :account_id FOR NO KEY UPDATE")
_COUNT = text("SELECT count(*) FROM webhooks WHERE account_id = :account_id")
_INSERT = text(
    f"""
    INSERT INTO webhooks (id, account_id, url, secret, event_types)
    VALUES (:id, :account_id, :url, :secret, :event_types)
    RETURNING {_COLUMNS}
    """  # noqa: S608 - no value is formatted in
)


def create(
    connection: Connection,
    account_id: uuid.UUID,
    *,
    url: str,
    event_types: Sequence[str],
    allow_private_addresses: bool,
) -> NewWebhook:
    """Makes a subscription to the event types (none: to all).

    Raises InvalidInput for a URL that cannot be delivered to and for unknown event types, and Conflict past
    MAX_PER_ACCOUNT.
    """
    target = read_url(url)
    if not allow_private_addresses:
        try:
            check_literal(target)
        except AddressRefused as error:
            raise InvalidInput(str(error), field="url") from error
    unknown = sorted(set(event_types) - set(EVENT_TYPES))
    if unknown:
        raise InvalidInput(
            f"There are no event types {', '.join(map(ascii, unknown))}. Known: {', '.join(EVENT_TYPES)}.",
            field="event_types",
        )
    connection.execute(_LOCK, {"account_id": account_id})
    if connection.execute(_COUNT, {"account_id": account_id}).scalar_one() >= MAX_PER_ACCOUNT:
        raise Conflict(f"The account has {MAX_PER_ACCOUNT} webhooks, the most there can be. Delete one first.")
    secret = _SECRET_PREFIX + secrets.token_urlsafe(32)
    row = connection.execute(
        _INSERT,
        {
            "id": new_id(),
            "account_id": account_id,
            "url": target.url,
            "secret": secret,
            "event_types": list(dict.fromkeys(event_types)),
        },
    ).one()
    return NewWebhook(_webhook(row), secret)


_LIST = text(f"SELECT {_COLUMNS} FROM webhooks WHERE account_id = :account_id ORDER BY id")  # noqa: S608


def list_webhooks(connection: Connection, account_id: uuid.UUID) -> list[Webhook]:
    """The account's subscriptions, oldest first."""
    return [_webhook(row) for row in connection.execute(_LIST, {"account_id": account_id})]


_OWN = "WHERE id = :id AND account_id = :account_id"
_GET = text(f"SELECT {_COLUMNS} FROM webhooks {_OWN}")  # noqa: S608
_DELETE = text(f"DELETE FROM webhooks {_OWN} RETURNING {_COLUMNS}")  # noqa: S608
_ENABLE = text(
    f"UPDATE webhooks SET disabled_at = NULL, failing_since = NULL {_OWN} RETURNING {_COLUMNS}"  # noqa: S608
)


def get(connection: Connection, account_id: uuid.UUID, webhook_id: uuid.UUID) -> Webhook:
    """The subscription. Raises NotFound, also for other accounts' subscriptions."""
    return _own(connection, _GET, account_id, webhook_id)


def delete(connection: Connection, account_id: uuid.UUID, webhook_id: uuid.UUID) -> None:
    """Deletes the subscription; deliveries that wait come to nothing. Raises NotFound."""
    _own(connection, _DELETE, account_id, webhook_id)


def enable(connection: Connection, account_id: uuid.UUID, webhook_id: uuid.UUID) -> Webhook:
    """Enables the subscription again, with a clean record. Raises NotFound."""
    return _own(connection, _ENABLE, account_id, webhook_id)


_RECIPIENT = text(f"SELECT url, secret, disabled_at IS NOT NULL AS disabled FROM webhooks {_OWN}")  # noqa: S608
_SUCCEEDED = text(f"UPDATE webhooks SET failing_since = NULL {_OWN} AND failing_since IS NOT NULL")  # noqa: S608
_FAILED = text(
    f"""
    UPDATE webhooks SET
        failing_since = coalesce(failing_since, now()),
        disabled_at = CASE
            WHEN failing_since < now() - make_interval(secs => :disable_after_seconds) THEN coalesce(disabled_at, now())
            ELSE disabled_at
        END
    {_OWN}
    RETURNING disabled_at IS NOT NULL AS disabled, disabled_at = now() AS just_now
    """  # noqa: S608 - no value is formatted in
)
_DISABLE = text(f"UPDATE webhooks SET disabled_at = now() {_OWN} AND disabled_at IS NULL")  # noqa: S608


def recipient(connection: Connection, account_id: uuid.UUID, webhook_id: uuid.UUID) -> Recipient | None:
    """Where deliveries go and how they are signed; None when the subscription is gone."""
    row = connection.execute(_RECIPIENT, {"id": webhook_id, "account_id": account_id}).one_or_none()
    return None if row is None else Recipient(row.url, row.secret, row.disabled)


def record_success(connection: Connection, account_id: uuid.UUID, webhook_id: uuid.UUID) -> None:
    """Ends a series of failures."""
    connection.execute(_SUCCEEDED, {"id": webhook_id, "account_id": account_id})


def record_failure(
    connection: Connection, account_id: uuid.UUID, webhook_id: uuid.UUID, *, disable_after_hours: float
) -> bool:
    """Begins or goes on with a series of failures; returns whether the subscription is disabled by now, or gone."""
    parameters = {"id": webhook_id, "account_id": account_id, "disable_after_seconds": disable_after_hours * 3_600}
    row = connection.execute(_FAILED, parameters).one_or_none()
    if row is not None and row.just_now:
        metrics.WEBHOOKS_DISABLED.labels(reason="failing").inc()
    return row is None or bool(row.disabled)


def disable(connection: Connection, account_id: uuid.UUID, webhook_id: uuid.UUID) -> None:
    """Disables the subscription at once: its receiver said that it is gone for good."""
    if connection.execute(_DISABLE, {"id": webhook_id, "account_id": account_id}).rowcount:
        metrics.WEBHOOKS_DISABLED.labels(reason="gone").inc()


def _own(connection: Connection, statement: Any, account_id: uuid.UUID, webhook_id: uuid.UUID) -> Webhook:
    row = connection.execute(statement, {"id": webhook_id, "account_id": account_id}).one_or_none()
    if row is None:
        raise NotFound(f"There is no webhook {webhook_id}.")
    return _webhook(row)


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(
        id=row.id,
        account_id=row.account_id,
        url=row.url,
        event_types=tuple(row.event_types),
        failing_since=row.failing_since,
        disabled_at=row.disabled_at,
        created_at=row.created_at,
    )
