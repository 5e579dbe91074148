"""Refresh tokens: a row's id and its MAC. The token can be made again from the id, so it is never stored."""

import base64
import binascii
import hmac
import uuid

from taskhub_api.security.keyring import Keyring

_PURPOSE = "refresh token"


class RefreshTokens:
    """Writes and reads refresh tokens: `<kid>.<id>.<base64url of the MAC>`."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def write(self, token_id: uuid.UUID, *, kid: str) -> str:
        """The token of an id, always the same for one key. A removed key is replaced by the active one."""
        if not self._keyring.knows(kid):
            kid = self._keyring.active_kid
        mac = self._keyring.mac(_PURPOSE, token_id.bytes, kid=kid)
        return f"{kid}.{token_id}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    def read(self, token: str) -> uuid.UUID | None:
        """The id in a token that we made; None for anything else, and for a key that was removed."""
        try:
            kid, id_text, mac_text = token.rsplit(".", 2)
            token_id = uuid.UUID(id_text)
            mac = base64.b64decode(mac_text + "=" * (-len(mac_text) % 4), altchars=b"-_", validate=True)
            expected = self._keyring.mac(_PURPOSE, token_id.bytes, kid=kid)
        except (ValueError, binascii.Error, KeyError):
            return None
        return token_id if hmac.compare_digest(mac, expected) else None
