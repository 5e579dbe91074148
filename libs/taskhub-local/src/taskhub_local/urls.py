"""URLs as people may see them."""

from urllib.parse import urlsplit, urlunsplit


def without_password(url: str) -> str:
    """Return the URL with its password, if it has one, replaced by stars."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))
