"""/v1/webhooks: subscriptions to the account's events, delivered by signed HTTP requests."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from taskhub_api.answers import Answer, Write, to_json
from taskhub_api.dependencies import CurrentCaller, Db
from taskhub_api.routes.documented import problems
from taskhub_core.events.schema import EVENT_TYPES
from taskhub_core.webhooks import service
from taskhub_core.webhooks.addresses import URL_CHARS
from taskhub_core.webhooks.service import Webhook

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])


class WebhookIn(BaseModel):
    """A subscription to make."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"url": "https://hooks.example.com/taskhub", "event_types": ["job.dead"]}]},
    )

    url: Annotated[str, Field(min_length=1, max_length=URL_CHARS, description="http or https; a public address.")]
    event_types: Annotated[
        list[str],
        Field(max_length=len(EVENT_TYPES), description=f"Of {', '.join(EVENT_TYPES)}. Empty: all, also later ones."),
    ] = []


class WebhookOut(BaseModel):
    """A subscription."""

    id: uuid.UUID
    url: str
    event_types: list[str]
    failing_since: datetime | None = Field(description="The first failure since the last success.")
    disabled_at: datetime | None = Field(description="Set after a day of nothing but failures, or a 410.")
    created_at: datetime


class NewWebhookOut(WebhookOut):
    """A subscription that was just made."""

    secret: str = Field(description="Signs its deliveries. It is shown now and never again: keep it.")


class WebhookListOut(BaseModel):
    """The account's subscriptions."""

    items: list[WebhookOut]


def _document(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "event_types": webhook.event_types,
        "failing_since": webhook.failing_since,
        "disabled_at": webhook.disabled_at,
        "created_at": webhook.created_at,
    }


@router.post(
    "",
    status_code=201,
    response_model=NewWebhookOut,
    responses=problems(401, 409, 413, 415),
    summary="Subscribe to events",
)
async def create_webhook(body: WebhookIn, request: Request, caller: CurrentCaller, write: Write) -> Response:
    """Makes a subscription. Each event is posted as JSON, signed with the secret, and retried for some hours.

    `TaskHub-Signature: t=<seconds>,v1=<hex>` holds the HMAC-SHA256 of `<t>.<body>`; `TaskHub-Delivery` is the same at
    every attempt. A repeated request with the same Idempotency-Key shows the secret again.
    """
    allow_private = request.app.state.settings.webhook_allow_private_addresses

    def work(connection: Connection) -> Answer:
        made = service.create(
            connection,
            caller.account_id,
            url=body.url,
            event_types=body.event_types,
            allow_private_addresses=allow_private,
        )
        # Stored under the key as it is: a client that missed the answer could otherwise never learn the secret, and
        # the webhooks table, in the same database, holds it for longer than the key's day.
        return Answer(
            201,
            {**_document(made.webhook), "secret": made.secret},
            {"Location": f"/v1/webhooks/{made.webhook.id}", "Cache-Control": "no-store"},
        )

    return await write.commit(work, account_id=caller.account_id)


@router.get("", response_model=WebhookListOut, responses=problems(401), summary="List subscriptions")
async def list_webhooks(caller: CurrentCaller, database: Db) -> Response:
    """The account's subscriptions, oldest first, without their secrets."""
    found = await database.read(lambda connection: service.list_webhooks(connection, caller.account_id))
    return Response(to_json({"items": [_document(webhook) for webhook in found]}), media_type="application/json")


@router.get("/{webhook_id}", response_model=WebhookOut, responses=problems(401, 404), summary="Get a subscription")
async def get_webhook(webhook_id: uuid.UUID, caller: CurrentCaller, database: Db) -> Response:
    """The subscription, without its secret."""
    webhook = await database.read(lambda connection: service.get(connection, caller.account_id, webhook_id))
    return Answer(200, _document(webhook)).response()


@router.delete("/{webhook_id}", status_code=204, responses=problems(401, 404), summary="Delete a subscription")
async def delete_webhook(webhook_id: uuid.UUID, caller: CurrentCaller, write: Write) -> Response:
    """Ends the subscription. Deliveries that wait come to nothing; one that is under way may still arrive."""

    def work(connection: Connection) -> Answer:
        service.delete(connection, caller.account_id, webhook_id)
        return Answer(204)

    return await write.commit(work, account_id=caller.account_id)


@router.post(
    "/{webhook_id}/enable",
    response_model=WebhookOut,
    responses=problems(401, 404),
    summary="Enable a disabled subscription",
)
async def enable_webhook(webhook_id: uuid.UUID, caller: CurrentCaller, write: Write) -> Response:
    """Enables the subscription again and forgets its failures. Events of the time between are not sent afterwards."""

    def work(connection: Connection) -> Answer:
        return Answer(200, _document(service.enable(connection, caller.account_id, webhook_id)))

    return await write.commit(work, account_id=caller.account_id)
