"""What an event does in PostgreSQL: a line in the feed, and a delivery for each webhook that wants to know."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from taskhub_core.events.activity import record
from taskhub_core.events.schema import Event
from taskhub_core.ids import derived_id
from taskhub_core.jobs.submit import NewJob, submit
from taskhub_core.telemetry.context import incoming

DELIVERY_KIND = "webhook.deliver"

_WEBHOOKS = text(
    """
    SELECT new.event_id, webhooks.id
    FROM unnest(CAST(:event_ids AS uuid[]), CAST(:account_ids AS uuid[]), CAST(:types AS text[]))
        AS new (event_id, account_id, type)
    JOIN webhooks ON webhooks.account_id = new.account_id
    WHERE webhooks.disabled_at IS NULL AND (webhooks.event_types = '{}' OR new.type = ANY (webhooks.event_types))
    """
)


@dataclass(frozen=True, slots=True)
class Effects:
    """What a batch did."""

    new: frozenset[uuid.UUID]
    """The events that were not known before."""
    deliveries: int


def apply(connection: Connection, events: Sequence[Event]) -> Effects:
    """Does it for the events that are new; for all others it was done in the transaction that recorded them."""
    recorded = record(connection, events)
    new = {event.event_id: event for event in events if event.event_id in recorded}
    wanted = _webhooks(connection, list(new.values())) if new else {}
    for event_id, webhook_ids in wanted.items():
        event = new[event_id]
        # Jobs carry on the story of the event they deliver, so each event's are submitted in its own context.
        with incoming(event.context, span="webhooks.fan_out", event_id=str(event_id)):
            submit(connection, [_delivery(event, webhook_id) for webhook_id in webhook_ids])
    return Effects(frozenset(new), sum(map(len, wanted.values())))


def _webhooks(connection: Connection, events: Sequence[Event]) -> dict[uuid.UUID, list[uuid.UUID]]:
    found: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    parameters = {
        "event_ids": [event.event_id for event in events],
        "account_ids": [event.account_id for event in events],
        "types": [event.type for event in events],
    }
    for event_id, webhook_id in connection.execute(_WEBHOOKS, parameters):
        found[event_id].append(webhook_id)
    return found


def _delivery(event: Event, webhook_id: uuid.UUID) -> NewJob:
    return NewJob(
        id=derived_id("webhook", event.event_id, webhook_id),
        account_id=event.account_id,
        kind=DELIVERY_KIND,
        args={"webhook_id": str(webhook_id), "event": event.model_dump(mode="json")},
    )
