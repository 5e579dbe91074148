"""Access tokens: short-lived JWTs (RFC 7519), signed with a key that `kid` names, so that keys can be rotated."""

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt

from taskhub_api.problems import Problem
from taskhub_api.security.keyring import Keyring
from taskhub_api.settings import ApiSettings
from taskhub_core.accounts.models import Role

ALGORITHM = "HS256"
ISSUER = "taskhub"
_LEEWAY = timedelta(seconds=5)
"""How far the clocks of two servers may be apart."""
_MOST_REMEMBERED = 4_096


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes the request, as its access token says."""

    account_id: uuid.UUID
    role: Role


class AccessTokens:
    """Signs and checks access tokens."""

    def __init__(self, settings: ApiSettings) -> None:
        self._keyring = Keyring(settings)
        self.valid_for = timedelta(seconds=settings.access_token_seconds)
        self._checked: dict[str, tuple[Caller, float]] = {}

    def sign(self, caller: Caller, *, issued_at: datetime | None = None, kid: str | None = None) -> str:
        """A token for the caller, always the same for one time and key. The active key stands in for a removed one."""
        now = issued_at or datetime.now(UTC)
        if kid is None or not self._keyring.knows(kid):
            kid = self._keyring.active_kid
        claims = {
            "iss": ISSUER,
            "sub": str(caller.account_id),
            "role": caller.role.value,
            "iat": now,
            "exp": now + self.valid_for,
        }
        return jwt.encode(claims, self._keyring.key(kid), ALGORITHM, headers={"kid": kid})

    def check(self, token: str) -> Caller:
        """The caller that the token speaks for. Raises Problem unauthenticated, which never says more than it must.

        A token that was found good stays good until it expires (keys change with a restart only), so it is remembered:
        checking a signature takes a fifth of a short request.
        """
        found, expires_at = self._checked.get(token, (None, 0.0))
        if found is not None and time.time() < expires_at:
            return found
        caller, expires_at = self._verify(token)
        if len(self._checked) >= _MOST_REMEMBERED:
            self._checked.clear()
        self._checked[token] = (caller, expires_at)
        return caller

    def _verify(self, token: str) -> tuple[Caller, float]:
        try:
            key = self._keyring.key(jwt.get_unverified_header(token)["kid"])
            claims = jwt.decode(
                token,
                key,
                [ALGORITHM],
                issuer=ISSUER,
                leeway=_LEEWAY,
                options={"require": ["exp", "iat", "iss", "sub", "role"]},
            )
            return Caller(uuid.UUID(claims["sub"]), Role(claims["role"])), float(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise unauthenticated("The access token has expired. Get a new one with the refresh token.") from None
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, AttributeError):
            raise unauthenticated("The access token is not valid.") from None


def unauthenticated(detail: str) -> Problem:
    """The problem of a request without a valid token (RFC 6750)."""
    return Problem("unauthenticated", detail, {"WWW-Authenticate": 'Bearer realm="taskhub"'})
