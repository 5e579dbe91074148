"""GET of plain http:// pages that are looked at again and again.

Without this, httpx reads the machine's trusted certificates for each look: 46 ms of CPU, which a loop of looks takes
from the platform that it waits for.
"""

import ssl
from collections.abc import Mapping

import httpx

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody: an https:// address fails with it."""


def get(url: str, *, timeout_seconds: float, params: Mapping[str, str] | None = None) -> httpx.Response:
    """Return the answer, whatever its status. Raises httpx.HTTPError."""
    return httpx.get(url, params=params, timeout=timeout_seconds, trust_env=False, verify=NO_TLS)
