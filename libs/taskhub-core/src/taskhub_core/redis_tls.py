"""TLS to Redis: whose certificates are trusted."""

from typing import Any

from pydantic import AnyUrl

from taskhub_core.settings import RedisSettings


def tls_options(url: AnyUrl, settings: RedisSettings) -> dict[str, Any]:
    """redis-py's options for connections to the URL: the private CA, if it begins with TLS and one is named.

    Without one redis-py trusts the public CAs. Either way it refuses other certificates, and those of other names.
    """
    if url.scheme != "rediss" or settings.redis_ca_file is None:
        return {}
    return {"ssl_ca_certs": str(settings.redis_ca_file)}
