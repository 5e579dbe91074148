"""/v1/token: log in, refresh, log out.

Refresh tokens rotate: each can be exchanged once, and using one twice ends the whole session (RFC 9700, 4.14.2). A
client whose answer got lost repeats the request with the same Idempotency-Key and gets the same tokens again.
"""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import Connection

from taskhub_api.answers import Answer, Write
from taskhub_api.database import Database
from taskhub_api.dependencies import Db
from taskhub_api.routes.accounts import PASSWORD_CHARS, Email
from taskhub_api.routes.documented import problems
from taskhub_api.security.access_tokens import AccessTokens, Caller, unauthenticated
from taskhub_api.security.passwords import Passwords
from taskhub_api.security.rate_limits import Limit, RateLimits, client_network
from taskhub_api.security.refresh_tokens import RefreshTokens
from taskhub_core.accounts import service
from taskhub_core.accounts.models import Role
from taskhub_core.accounts.service import RefreshToken, RefreshTokenInvalid, RefreshTokenReused
from taskhub_core.errors import NotFound
from taskhub_core.ids import derived_id, new_id
from taskhub_core.telemetry import metrics

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1/token", tags=["tokens"])

_WRONG_LOGIN = "The e-mail address or the password is wrong."
_WRONG_TOKEN = "The refresh token is not valid. Log in again."  # noqa: S105 - a message


class LoginIn(BaseModel):
    """What to log in with."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    password: Annotated[SecretStr, Field(max_length=PASSWORD_CHARS[1], examples=["correct horse battery staple"])]


class RefreshTokenIn(BaseModel):
    """A refresh token."""

    model_config = ConfigDict(extra="forbid")

    refresh_token: Annotated[
        SecretStr,
        Field(max_length=500, examples=["k1.0190c5a8-6d1e-7000-8000-000000000000.Yy1zaWduZWQtYnktdGhlLXNlcnZlcg"]),
    ]


class TokensOut(BaseModel):
    """An access token, and the refresh token that gets the next one."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds that the access token is valid for.")
    refresh_token: str = Field(description="Good for one exchange.")
    refresh_expires_in: int = Field(description="Seconds that the refresh token is valid for.")


class Issuer:
    """Makes token answers out of ids and times, so that nothing secret needs to be stored to make one again."""

    def __init__(self, request: Request) -> None:
        state = request.app.state
        self._access_tokens: AccessTokens = state.access_tokens
        self._refresh_tokens: RefreshTokens = state.refresh_tokens
        self._kid: str = state.keyring.active_kid
        self.refresh_valid_for = timedelta(seconds=state.settings.refresh_token_seconds)

    def answer(self, token: RefreshToken) -> Answer:
        """The answer for a new refresh token."""
        return self.rebuild(
            {
                "token_id": str(token.id),
                "account_id": str(token.account_id),
                "role": token.role.value,
                "issued_at": int(token.issued_at.timestamp()),
                "kid": self._kid,
            }
        )

    def rebuild(self, kept: Any) -> Answer:
        """The answer, from what was kept of it."""
        caller = Caller(uuid.UUID(kept["account_id"]), Role(kept["role"]))
        issued_at = datetime.fromtimestamp(kept["issued_at"], UTC)
        tokens = TokensOut(
            access_token=self._access_tokens.sign(caller, issued_at=issued_at, kid=kept["kid"]),
            token_type="Bearer",  # noqa: S106 - RFC 6750's name
            expires_in=int(self._access_tokens.valid_for.total_seconds()),
            refresh_token=self._refresh_tokens.write(uuid.UUID(kept["token_id"]), kid=kept["kid"]),
            refresh_expires_in=int(self.refresh_valid_for.total_seconds()),
        )
        return Answer(200, tokens.model_dump(), {"Cache-Control": "no-store"}, kept)

    def read(self, token: SecretStr) -> uuid.UUID | None:
        """The id in a refresh token of ours; None for anything else."""
        return self._refresh_tokens.read(token.get_secret_value())


Tokens = Annotated[Issuer, Depends(Issuer)]


@router.post("", response_model=TokensOut, responses=problems(401, 413, 415, 429), summary="Log in")
async def log_in(body: LoginIn, request: Request, tokens: Tokens, database: Db, write: Write) -> Response:
    """Exchanges an e-mail address and a password for tokens. An unknown address takes as long as a wrong password."""
    limits: RateLimits = request.app.state.rate_limits
    email = body.email.lower()
    await limits.admit(request, {Limit.LOGINS_BY_ADDRESS: client_network(request), Limit.LOGINS_BY_EMAIL: email})
    passwords: Passwords = request.app.state.passwords
    password = body.password.get_secret_value()
    found = await database.read(lambda connection: service.credentials(connection, body.email))
    if not await passwords.verify(found.password_hash if found else None, password) or found is None:
        metrics.LOGINS.labels(outcome="refused").inc()
        raise unauthenticated(_WRONG_LOGIN)
    if passwords.needs_rehash(found.password_hash):
        await _rehash(database, passwords, found, password)
    await limits.forget(Limit.LOGINS_BY_EMAIL, email)
    token_id = new_id()

    def work(connection: Connection) -> Answer:
        return tokens.answer(
            service.log_in(connection, found.account_id, token_id=token_id, valid_for=tokens.refresh_valid_for)
        )

    try:
        answer = await write.commit(work, account_id=derived_id("login", found.account_id), rebuild=tokens.rebuild)
    except NotFound:  # deleted since its password was checked
        raise unauthenticated(_WRONG_LOGIN) from None
    metrics.LOGINS.labels(outcome="accepted").inc()
    return answer


async def _rehash(database: Database, passwords: Passwords, found: service.Credentials, password: str) -> None:
    new = await passwords.hash(password)
    await database.run(
        lambda connection: service.replace_password_hash(connection, found.account_id, old=found.password_hash, new=new)
    )


@router.post("/refresh", response_model=TokensOut, responses=problems(401, 413, 415), summary="Get new tokens")
async def refresh(body: RefreshTokenIn, tokens: Tokens, database: Db, write: Write) -> Response:
    """Exchanges a refresh token for new tokens. It is used up by that; using it twice ends the session.

    Send an Idempotency-Key: then a request whose answer got lost can be repeated.
    """
    token_id = tokens.read(body.refresh_token)
    if token_id is None:
        raise unauthenticated(_WRONG_TOKEN)
    fresh_id = new_id()

    def work(connection: Connection) -> Answer:
        return tokens.answer(
            service.exchange(connection, token_id, fresh_id=fresh_id, valid_for=tokens.refresh_valid_for)
        )

    try:
        return await write.commit(work, account_id=derived_id("refresh", token_id), rebuild=tokens.rebuild)
    except RefreshTokenReused as reuse:
        revoked = await database.run(lambda connection: service.revoke_family(connection, token_id))
        metrics.REFRESH_TOKENS_REUSED.inc()
        log.warning("refresh token reused, session ended", account_id=str(reuse.account_id), revoked=revoked)
        raise unauthenticated(_WRONG_TOKEN) from None
    except RefreshTokenInvalid:
        raise unauthenticated(_WRONG_TOKEN) from None


@router.post("/revoke", status_code=204, responses=problems(413, 415), summary="Log out")
async def revoke(body: RefreshTokenIn, tokens: Tokens, write: Write) -> Response:
    """Ends the session of the refresh token. A token that is not valid is answered alike (RFC 7009).

    Access tokens of the session stay valid until they expire: they are checked without a look at the database.
    """
    token_id = tokens.read(body.refresh_token)
    if token_id is None:
        return Response(status_code=204)

    def work(connection: Connection) -> Answer:
        service.revoke_family(connection, token_id)
        return Answer(204)

    return await write.commit(work, account_id=derived_id("revoke", token_id))
