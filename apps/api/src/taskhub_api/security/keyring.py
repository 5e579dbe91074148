"""The server's secret keys by id (`kid`), and the keys derived from them, one a purpose, so that none serves two."""

import hashlib
import hmac

from taskhub_api.settings import ApiSettings


class Keyring:
    """Signs with the active key; checks with every key that is still listed."""

    def __init__(self, settings: ApiSettings) -> None:
        self._keys = {kid: secret.get_secret_value().encode() for kid, secret in settings.jwt_keys.items()}
        self.active_kid = settings.jwt_active_kid

    def knows(self, kid: str) -> bool:
        """Whether a key of that id is listed."""
        return kid in self._keys

    def key(self, kid: str) -> bytes:
        """The key itself, for JWTs. Raises KeyError for one that is not, or no longer, listed."""
        return self._keys[kid]

    def mac(self, purpose: str, message: bytes, *, kid: str | None = None) -> bytes:
        """HMAC-SHA256 of the message, under a key derived for the purpose from the active key or the named one.

        Raises KeyError for a key that is not listed.
        """
        derived = hmac.digest(self._keys[kid or self.active_kid], f"taskhub {purpose}".encode(), hashlib.sha256)
        return hmac.digest(derived, message, hashlib.sha256)

    def is_mac(self, candidate: bytes, purpose: str, message: bytes) -> bool:
        """Whether any of the keys made the candidate for this purpose and message."""
        return any(hmac.compare_digest(candidate, self.mac(purpose, message, kid=kid)) for kid in self._keys)
