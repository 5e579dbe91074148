"""/v1/accounts and /v1/me: make an account, and see whose token this is."""

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr
from sqlalchemy import Connection

from taskhub_api.answers import Answer, Write, to_json
from taskhub_api.dependencies import CurrentCaller, Db
from taskhub_api.routes.documented import problems
from taskhub_api.security.access_tokens import unauthenticated
from taskhub_api.security.passwords import Passwords
from taskhub_api.security.rate_limits import Limit, RateLimits, client_network
from taskhub_core.accounts import service
from taskhub_core.accounts.models import Role
from taskhub_core.errors import NotFound
from taskhub_core.ids import derived_id, new_id

router = APIRouter(tags=["accounts"])

PASSWORD_CHARS = (12, 256)


Email = Annotated[EmailStr, Field(max_length=254, examples=["someone@example.com"])]
Password = Annotated[
    SecretStr,
    Field(min_length=PASSWORD_CHARS[0], max_length=PASSWORD_CHARS[1], examples=["correct horse battery staple"]),
]


class AccountIn(BaseModel):
    """An account to make."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    password: Password


class AccountOut(BaseModel):
    """An account."""

    id: uuid.UUID
    email: str
    role: Role
    created_at: datetime


@router.post(
    "/v1/accounts",
    status_code=201,
    response_model=AccountOut,
    responses=problems(409, 413, 415, 429),
    summary="Make an account",
)
async def register(body: AccountIn, request: Request, write: Write) -> Response:
    """Makes an account, and sends a welcome by mail.

    An address that has an account already is answered with 409. That tells whoever asks that the account exists; hiding
    it would need a mail in place of the answer. The rate limit makes asking for many addresses slow.
    """
    limits: RateLimits = request.app.state.rate_limits
    await limits.admit(request, {Limit.REGISTRATIONS_BY_ADDRESS: client_network(request)})
    passwords: Passwords = request.app.state.passwords
    password_hash = await passwords.hash(body.password.get_secret_value())
    account_id = new_id()

    def work(connection: Connection) -> Answer:
        account = service.register(connection, account_id=account_id, email=body.email, password_hash=password_hash)
        return Answer(201, account.as_document(), {"Location": "/v1/me"})

    # Without an account yet, a key belongs to the address: two clients that both count from 1 do not meet.
    return await write.commit(work, account_id=derived_id("register", body.email.lower()))


@router.get("/v1/me", response_model=AccountOut, responses=problems(401), summary="Whose token is this?")
async def me(caller: CurrentCaller, database: Db) -> Response:
    """The account that the access token belongs to."""
    try:
        account = await database.read(lambda connection: service.get(connection, caller.account_id))
    except NotFound:
        raise unauthenticated("The account of this access token is gone.") from None
    return Response(to_json(account.as_document()), media_type="application/json")
